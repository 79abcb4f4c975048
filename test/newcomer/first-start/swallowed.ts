/** Options of this command without `--` before them, which npm keeps for itself. */
export const swallowedOptions = {
  name: 'options without -- before them',
  arrange: (_folder: string) => ({
    options: [],
    // As npm tells a script of the options that it kept: npm start --fresh --database-url=postgres://me:confidential@db/shop
    environment: {
      npm_lifecycle_event: 'start',
      npm_config_fresh: 'true',
      npm_config_database_url: 'postgres://me:confidential@db/shop',
    },
    exitCode: 2,
    says: [
      /npm kept --fresh, --database-url for itself\. Nothing was started/,
      /npm start -- --fresh --database-url \.\.\./,
    ],
    secret: 'confidential',
  }),
};
