import { smallDisk } from '../../support/small-disk.ts';

/** There is no room for a start. */
export const fullDisk = {
  name: 'a disk without room',
  async arrange(folder: string) {
    const disk = await smallDisk(`${folder}/.local`, 20);
    return {
      options: ['--port', '0'],
      exitCode: 1,
      says: [/The disk that holds \S+ has \d+ MB free; the start needs \d+ MB/, /Nothing was started/, /df -h/],
      close: async () => disk?.remove(),
    };
  },
};
