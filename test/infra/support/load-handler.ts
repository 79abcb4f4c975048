/**
 * Loads a bundle as Lambda's Node runtime does and tells what it is, on standard output. It runs in a process of its own, which
 * has nothing but the environment of the function.
 */
const [bundle = ''] = process.argv.slice(2);
const { handler } = (await import(bundle)) as { handler: unknown };
process.stdout.write(typeof handler, () => process.exit(0));
