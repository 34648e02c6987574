// The stage tree: steps from left to right, trials one below the other; a thick line was trained
// once for all trials to its right.

const ROW = 16;
const TREE = { left: 12, label: 250, top: 26, width: 900 };
const FAMILIES_AT_FIRST = 3;

function startTree() {
  const body = byId('tree-body');
  if (!sweep.tree || !sweep.tree.families.length) {
    replace(body, el('p', { class: 'muted' }, 'Which steps were shared was not recorded for these trials.'));
    return;
  }
  const families = sweep.tree.families;
  const alone = families.reduce((sum, family) => sum + stepsAlone(family), 0);
  const trained = families.reduce((sum, family) => sum + stepsTrained(family), 0);
  const intro = alone === trained ? `Nothing could be shared: ${counted(trained, 'step')} in all.`
    : `${counted(alone, 'step')} if every trial were trained alone; ${trained.toLocaleString('en')} in the tree: ${percent(1 - trained / alone)} less. `
      + 'Each line was trained once for all trials to its right; blue where the text side trains.';
  replace(body, el('p', {}, intro), families.map((family, k) => familyPart(family, k)));
}

const stepsAlone = (family) => family.segments.reduce((sum, s) => sum + (s.stop - s.start) * (s.trials[1] - s.trials[0]), 0);
const stepsTrained = (family) => family.segments.reduce((sum, s) => sum + s.stop - s.start, 0);

// A family is drawn when it is opened: there may be hundreds.
function familyPart(family, k) {
  const saved = 1 - stepsTrained(family) / stepsAlone(family);
  const part = el('details', { class: 'family' }, el(
    'summary', {}, `Family ${k + 1}: ${counted(family.trials.length, 'trial')}, ${counted(stepsTrained(family), 'step')}`,
    saved > 0 ? ` (${percent(saved)} saved)` : '',
  ));
  part.addEventListener('toggle', () => { if (part.open && !part.querySelector('svg')) part.append(familyDrawing(family)); });
  part.open = k < FAMILIES_AT_FIRST && family.trials.length <= 60;
  return part;
}

function familyDrawing(family) {
  const last = Math.max(...family.segments.map((s) => s.stop));
  const x = linear(0, last, TREE.left, TREE.width - TREE.label);
  const height = TREE.top + family.trials.length * ROW + 8;
  const middle = (s) => TREE.top + ((s.trials[0] + s.trials[1] - 1) / 2 + 0.5) * ROW;
  const marks = family.segments.map((s) => segmentMark(family, s, x, middle));
  const labels = family.trials.map((k, row) => trialLabel(family, k, row, x));
  on('highlight', () => [...marks, ...labels].forEach(([mark, members]) => {
    mark.classList.toggle('lit', members.some(isLit));
  }));
  return el('div', { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Stage tree' }, svg(
    'svg', { class: 'plot tree', viewBox: `0 0 ${TREE.width} ${height}`, role: 'img', style: { minWidth: '640px' },
      'aria-label': `Stage tree of ${counted(family.trials.length, 'trial')} up to step ${last}` },
    x.ticks(8).map((value) => [
      svg('line', { class: 'grid-line', x1: x(value), x2: x(value), y1: TREE.top - 6, y2: height - 4 }),
      svg('text', { class: 'tick', x: x(value), y: 12, 'text-anchor': 'middle' }, tickLabel(value)),
    ]).flat(),
    marks.map(([mark]) => mark), labels.map(([mark]) => mark),
  ));
}

function segmentMark(family, s, x, middle) {
  const members = family.trials.slice(...s.trials).filter((k) => k !== null);
  const parent = s.parent === null ? null : family.segments[s.parent];
  const y = middle(s);
  const width = 1.5 + 2 * Math.log2(s.trials[1] - s.trials[0]);
  const mark = svg(
    'g', { class: `segment${s.text_trains ? ' text-trains' : ''}`,
      onpointermove: (event) => {
        setHover(members);
        tip.show(event, el('b', {}, `steps ${s.start.toLocaleString('en')} to ${s.stop.toLocaleString('en')}`), el('br'),
          `for ${counted(s.trials[1] - s.trials[0], 'trial')}${s.text_trains ? '; the text side trains' : ''}`);
      },
      onpointerleave: () => { setHover([]); tip.hide(); } },
    parent ? svg('path', { class: 'join', d: `M${x(s.start)} ${middle(parent)}V${y}` }) : null,
    svg('line', { x1: x(s.start), x2: x(s.stop), y1: y, y2: y, 'stroke-width': width.toFixed(1) }),
  );
  return [mark, members];
}

function trialLabel(family, k, row, x) {
  const end = family.segments.find((s) => s.ends[0] <= row && row < s.ends[1]);
  const y = TREE.top + (row + 0.5) * ROW;
  const text = k === null ? '' : shortened(labelOf(k), 42);
  const mark = svg(
    'g', { class: 'leaf', ...(k === null ? {} : { onpointerenter: () => setHover([k]), onpointerleave: () => setHover([]), onclick: () => openDetails(k) }) },
    svg('path', { class: 'join', d: `M${x(end.stop)} ${TREE.top + ((end.trials[0] + end.trials[1] - 1) / 2 + 0.5) * ROW}V${y}` }),
    svg('circle', { cx: x(end.stop), cy: y, r: 3 }),
    svg('text', { class: 'tick', x: x(end.stop) + 8, y: y + 4 }, text),
  );
  return [mark, k === null ? [] : [k]];
}
