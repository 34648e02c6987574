// The stage tree: how many steps it saved, and which trials are together in it.

const FAMILIES_AT_FIRST = 3;
const MOST_OPEN_ROWS = 60;

function startTree() {
  const families = sweep.tree?.families ?? [];
  if (!families.length) {
    replace(byId('tree-body'), el('p', { class: 'muted' },
      'Which steps were shared was not recorded for these trials.'));
    return;
  }
  const sharing = families.filter((family) => family.trials.length > 1);
  const alone = families.length - sharing.length;
  replace(
    byId('tree-body'), el('p', {}, savedText(families)),
    sharing.length ? treeLegend() : null,
    sharing.map(familyPart),
    alone && sharing.length ? el('p', { class: 'muted' },
      `${counted(alone, 'more trial')} shared no step with another.`) : null,
  );
}

const stepsOf = (segment) => segment.stop - segment.start;
const reach = (segment) => segment.trials[1] - segment.trials[0];
const sum = (list, of) => list.reduce((total, each) => total + of(each), 0);
const stepsAlone = (family) => sum(family.segments, (s) => stepsOf(s) * reach(s));
const stepsTrained = (family) => sum(family.segments, stepsOf);

function savedText(families) {
  const alone = sum(families, stepsAlone);
  const trained = sum(families, stepsTrained);
  if (alone === trained) {
    return 'No two of these trials have their first steps in common: '
      + `${counted(trained, 'step')} in all.`;
  }
  return `${counted(alone, 'step')} if every trial were trained alone, `
    + `${trained.toLocaleString('en')} in the tree: ${percent(1 - trained / alone)} less.`;
}

function treeLegend() {
  const entry = (name, words) => el(
    'span', {}, el('i', { class: `swatch ${name}` }), words,
  );
  return el(
    'p', { class: 'colour-legend' },
    entry('text-trains', 'text side trains'), entry('unet-alone', 'UNet alone'),
    el('span', { class: 'muted' }, 'Each line was trained once for all trials to its right; the '
      + 'thicker, the more.'),
  );
}

// A family is drawn when it is opened: there may be hundreds.
function familyPart(family, k) {
  const saved = 1 - stepsTrained(family) / stepsAlone(family);
  const part = el('details', { class: 'family' }, el(
    'summary', {}, `Family ${k + 1}: ${counted(family.trials.length, 'trial')}, `
      + counted(stepsTrained(family), 'step'), saved > 0 ? ` (${percent(saved)} saved)` : '',
  ));
  part.addEventListener('toggle', () => {
    if (part.open && part.children.length === 1) part.append(familyDrawing(family));
  });
  part.open = k < FAMILIES_AT_FIRST && family.trials.length <= MOST_OPEN_ROWS;
  return part;
}
