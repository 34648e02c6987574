// One family of the stage tree: steps from left to right, trials one below the other.

const TREE = { row: 16, left: 10, top: 26, least: 320, most: 1100, narrow: 600 };

function familyDrawing(family) {
  let marks = [];
  const light = () => marks.forEach(([mark, members]) => (
    mark.classList.toggle('lit', members.some(isLit))));
  const drawing = responsive((width) => {
    const drawn = drawFamily(family, Math.min(width, TREE.most));
    marks = drawn.marks;
    light();
    return drawn.node;
  }, TREE.least);
  on('highlight', light);
  return scroller('Stage tree', drawing);
}

function drawFamily(family, width) {
  const last = Math.max(...family.segments.map((s) => s.stop));
  const written = width < TREE.narrow ? valuesOf : labelOf;
  const labels = family.trials.map((k) => (k === null ? '' : written(k)));
  const longest = Math.max(...labels.map((label) => label.length)) * CHARACTER + 16;
  const room = Math.min(longest, width * 0.45);
  const x = linear(0, last, TREE.left, width - room);
  const height = TREE.top + family.trials.length * TREE.row + 8;
  const segments = family.segments.map((s) => segmentMark(family, s, x));
  const characters = Math.floor((room - 12) / CHARACTER);
  const leaves = labels.map((label, row) => (
    leafMark(family, row, shortened(label, characters), x)));
  const marks = [...segments, ...leaves];
  const ticks = x.ticks(Math.max(3, Math.floor(width / 130)));
  const numbers = tickLabels(ticks);
  const node = plot(
    width, height, `Stage tree of ${counted(family.trials.length, 'trial')} up to step ${last}`,
    { class: 'plot tree' },
    ticks.map((value, k) => [
      svg('line', { class: 'grid-line', x1: x(value), x2: x(value), y1: 20, y2: height - 4 }),
      svgText(x(value), 12, { class: 'tick', 'text-anchor': k ? 'middle' : 'start' },
        k ? numbers[k] : `${numbers[k]} steps`),
    ]),
    marks.map(([mark]) => mark),
  );
  return { node, marks };
}

const rowY = (row) => TREE.top + (row + 0.5) * TREE.row;
const segmentY = (s) => rowY((s.trials[0] + s.trials[1] - 1) / 2);

function segmentMark(family, s, x) {
  const members = family.trials.slice(...s.trials).filter((k) => k !== null);
  const y = segmentY(s);
  const parent = s.parent === null ? null : family.segments[s.parent];
  const steps = `steps ${s.start.toLocaleString('en')} to ${s.stop.toLocaleString('en')}`;
  const about = `for ${counted(reach(s), 'trial')}${s.text_trains ? '; the text side trains' : ''}`;
  const mark = svg(
    'g', {
      class: `segment${s.text_trains ? ' text-trains' : ''}`,
      onpointermove: (event) => {
        setHover(members);
        tip.show(event, el('b', {}, steps), el('br'), about);
      },
      onpointerleave: () => { setHover([]); tip.hide(); },
    },
    parent ? svg('path', { class: 'join', d: `M${x(s.start)} ${segmentY(parent)}V${y}` }) : null,
    svg('line', {
      x1: x(s.start), x2: x(s.stop), y1: y, y2: y,
      'stroke-width': (2 + 2 * Math.log2(reach(s))).toFixed(1),
    }),
  );
  return [mark, members];
}

function leafMark(family, row, label, x) {
  const k = family.trials[row];
  const end = family.segments.find((s) => s.ends[0] <= row && row < s.ends[1]);
  const [px, py] = [x(end.stop), rowY(row)];
  const events = k === null ? {} : {
    onpointerenter: () => setHover([k]),
    onpointerleave: () => setHover([]),
    onclick: () => openDetails(k),
  };
  const mark = svg(
    'g', { class: 'leaf', ...events },
    svg('path', { class: 'join', d: `M${px} ${segmentY(end)}V${py}` }),
    svg('circle', { cx: px, cy: py, r: 3 }),
    svgText(px + 8, py + 4, { class: 'tick' }, label),
  );
  return [mark, k === null ? [] : [k]];
}
