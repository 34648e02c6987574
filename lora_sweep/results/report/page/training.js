// The pictures trained on, beside those that came of it.

function startTraining() {
  const same = (set, other) => String(set.heldout) === String(other.heldout);
  const heldout = sweep.sets.filter((set, k) => (
    set.heldout.length && sweep.sets.findIndex((other) => same(set, other)) === k));
  const title = (words, set, list) => (list.length > 1 ? `${words}: ${set.name}` : words);
  const parts = [
    sweep.sets.map((set) => pictureStrip(
      title('Trained on', set, sweep.sets), set.num_train, set.train, 'training picture')),
    heldout.map((set) => pictureStrip(
      title('Held out', set, heldout), set.num_heldout, set.heldout, 'held-out picture')),
  ];
  replace(byId('training'), parts);
  byId('training').hidden = !sweep.sets.length;
}

function pictureStrip(title, count, indices, what) {
  return [
    el('h3', {}, title, el('span', { class: 'muted' }, ` ${count}`)),
    thumbs(indices, what),
  ];
}

function thumbs(indices, what) {
  return el('div', { class: 'thumbs' }, indices.map((index, k) => el('img', {
    src: pictureUrl(index), alt: `${what} ${k + 1}`, loading: 'lazy', decoding: 'async',
  })));
}
