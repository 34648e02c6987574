// One picture large, with arrows to the others of the grid and the training pictures beneath.

const zoom = { list: [], at: 0 };

function openZoom(list, at) {
  Object.assign(zoom, { list, at });
  drawZoom();
  if (!byId('zoom').open) byId('zoom').showModal();
}

function startZoom() {
  byId('zoom').addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (step) {
      event.preventDefault();
      moveZoom(step);
    }
  });
  closeOnBackdrop(byId('zoom'));
}

function closeOnBackdrop(dialog) {
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
}

function moveZoom(step) {
  zoom.at = (zoom.at + step + zoom.list.length) % zoom.list.length;
  drawZoom();
}

function drawZoom() {
  const shot = zoom.list[zoom.at];
  const { trial, sample } = shot;
  const few = zoom.list.length < 2;
  const set = sweep.sets[trials[trial].set];
  replace(
    byId('zoom'),
    el('div', { class: 'zoom-bar' },
      el('button', { 'aria-label': 'Previous picture', hidden: few, onclick: () => moveZoom(-1) }, '←'),
      el('span', { class: 'muted', role: 'status' }, `${zoom.at + 1} of ${zoom.list.length}`),
      el('button', { 'aria-label': 'Next picture', hidden: few, onclick: () => moveZoom(1) }, '→'),
      el('span', { class: 'grow' }),
      el('button', { onclick: () => { byId('zoom').close(); openDetails(trial); } }, 'Settings'),
      el('button', { 'aria-label': 'Close', onclick: () => byId('zoom').close() }, '✕')),
    fullPicture(shot),
    el('p', { class: 'zoom-prompt' }, sweep.prompts[sample[0]]),
    el('p', { class: 'muted' }, `seed ${sample[1]} · step ${sample[2]}`),
    el('p', {}, chips(trial, true)),
    set ? el('details', { class: 'zoom-training', open: true }, el('summary', {}, 'Trained on'), strip(set.train, 'training picture')) : null,
  );
}

// The thumbnail until the file itself is there; it may have been moved, or left behind.
function fullPicture(shot) {
  const { trial, sample } = shot;
  const image = el('img', { class: 'full', src: pictureUrl(sample[3]), alt: altOf(shot) });
  if (trials[trial].folder !== null) {
    const file = new Image();
    file.addEventListener('load', () => { image.src = file.src; });
    file.src = href(trials[trial].folder, 'samples', sample[4]);
  }
  return image;
}
