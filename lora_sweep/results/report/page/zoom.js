// One picture large, with arrows to the others of the grid and the training pictures beneath.

const zoom = { list: [], at: 0 };

function openZoom(list, position) {
  Object.assign(zoom, { list, at: position });
  drawZoom();
  if (!byId('zoom').open) byId('zoom').showModal();
}

function startZoom() {
  byId('zoom').addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    moveZoom(step);
  });
  closeOnBackdrop(byId('zoom'));
}

function closeOnBackdrop(dialog) {
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
}

// The same button keeps the focus: it is drawn anew.
function moveZoom(step) {
  const focused = document.activeElement?.getAttribute('aria-label');
  zoom.at = (zoom.at + step + zoom.list.length) % zoom.list.length;
  drawZoom();
  if (focused) byId('zoom').querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
}

function drawZoom() {
  const shot = zoom.list[zoom.at];
  const { trial, sample } = shot;
  const few = zoom.list.length < 2;
  const set = sweep.sets[trials[trial].set];
  const settings = () => { byId('zoom').close(); openDetails(trial); };
  replace(
    byId('zoom'),
    el('div', { class: 'zoom-bar' },
      el('button', {
        'aria-label': 'Previous picture', hidden: few, onclick: () => moveZoom(-1),
      }, '←'),
      el('span', { class: 'muted', role: 'status' }, `${zoom.at + 1} of ${zoom.list.length}`),
      el('button', {
        'aria-label': 'Next picture', hidden: few, onclick: () => moveZoom(1),
      }, '→'),
      el('span', { class: 'grow' }),
      el('button', { onclick: settings }, 'Settings'),
      closeButton(byId('zoom'))),
    fullPicture(shot),
    el('p', { class: 'zoom-prompt' }, sweep.prompts[sample[0]]),
    el('p', {}, chips(trial, true),
      el('span', { class: 'muted' }, `picture seed ${sample[1]} · step ${sample[2]}`)),
    set ? el('details', { class: 'zoom-training', open: true }, el('summary', {}, 'Trained on'),
      thumbs(set.train, 'training picture')) : null,
  );
}

const closeButton = (dialog) => el(
  'button', { 'aria-label': 'Close', onclick: () => dialog.close() }, '✕',
);

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
