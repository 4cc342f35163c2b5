import { describe, expect, it } from 'vitest';
import { Places } from '../../src/publication/places.js';

const claim = { isUrgent: false };
/** What is not to come soon does not come within some turns of the loop. */
const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

describe('places', () => {
  it('of wholes are not in the way of updates, nor of images', async () => {
    const places = new Places(1);
    const large = await places.take(claim);
    await large.beforeWhole();
    const second = await places.take(claim);
    let isSecondWhole = false;
    const waits = second.beforeWhole().then(() => {
      isSecondWhole = true;
    });
    await turns();
    expect(isSecondWhole).toBe(false);
    expect(places.waiting).toBe(1);
    // a change to another zone, and a transfer of a third
    const update = await places.take(claim);
    const packed = await places.packing.take({ isUrgent: true });
    update.release();
    packed();
    large.release();
    await waits;
    second.release();
    expect(places.waiting).toBe(0);
  });

  it('bound what has begun: wholes that wait in numbers keep their places among the updates', async () => {
    const places = new Places(1);
    const begun = [await places.take(claim), await places.take(claim)];
    await begun[0]?.beforeWhole();
    const more = [begun[1], await places.take(claim)].map((place) => place?.beforeWhole());
    await turns();
    // one waits beside the updates, the other among them: one place is left of two
    const third = await places.take(claim);
    let isFourth = false;
    const fourth = places.take(claim).then((place) => {
      isFourth = true;
      return place;
    });
    await turns();
    expect(isFourth).toBe(false);
    third.release();
    (await fourth).release();
    begun[0]?.release();
    await more[0];
    begun[1]?.release();
    await more[1];
  });

  it('are given back once, whatever was taken', async () => {
    const places = new Places(1);
    for (let i = 0; i < 5; i++) {
      const place = await places.take(claim);
      await place.beforeWhole();
      place.release();
      place.release();
    }
    expect(places.waiting).toBe(0);
  });
});
