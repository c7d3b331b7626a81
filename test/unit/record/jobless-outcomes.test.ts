import { expect, test } from 'vitest';
import { finishedJob, journalLines, memoryFinishedJobs, recorderRig } from '../../support/record-rig.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

test('what the owner settles itself is recorded beside the finished jobs, and durable when told so', async () => {
  const { recorder, store, recorded } = await recorderRig({
    finished: memoryFinishedJobs([finishedJob('by-worker.txt')]),
  });
  await recorder.settle([uploadedOutcome('a.txt'), uploadedOutcome('b.txt')]);
  expect(store.ledger.find(uploadedOutcome('a.txt').id)).toMatchObject({ gen: 0, status: 'uploaded' });
  await recorder.drained();
  expect(
    journalLines(store.journal.path)
      .map(({ path }) => path)
      .sort(),
  ).toEqual(['a.txt', 'b.txt', 'by-worker.txt']);
  expect(recorded).toHaveLength(3);
});

test('a version that has a receipt gets no second one, and whoever settles it again is told it is durable', async () => {
  const { recorder, store } = await recorderRig();
  await recorder.settle([uploadedOutcome('a.txt')]);
  await recorder.settle([uploadedOutcome('a.txt')]);
  expect(journalLines(store.journal.path)).toHaveLength(1);
});

test('more than one batch is recorded in order, and a stop rejects what is not durable', async () => {
  const { recorder, store } = await recorderRig();
  const many = Array.from({ length: 1_200 }, (_, index) => uploadedOutcome(`${index}.txt`));
  await recorder.settle(many);
  expect(journalLines(store.journal.path).map(({ path }) => path)).toEqual(many.map(({ path }) => path));
  await recorder.stop();
  await expect(recorder.settle([uploadedOutcome('late.txt')])).rejects.toThrow('stopped');
});

test('a keeper is told of every new entry inside the commit, and its table commits with it', async () => {
  const { recorder, store } = await recorderRig();
  const table = store.ledger.table<{ path: string }, string>('cursors');
  store.ledger.alongside(({ id, name }) => void table?.putSync(id, { path: name.path }));
  await recorder.settle([uploadedOutcome('a.txt')]);
  expect(table?.get(uploadedOutcome('a.txt').id)).toEqual({ path: 'a.txt' });
});
