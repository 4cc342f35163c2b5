/** Runs tasks in their order, a few at a time: each is a process of its own, and cores are few. */
export async function runSome(tasks: readonly (() => Promise<unknown>)[], atOnce = 3): Promise<void> {
  const left = [...tasks];
  const work = async (): Promise<void> => {
    for (let task = left.shift(); task !== undefined; task = left.shift()) await task();
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
