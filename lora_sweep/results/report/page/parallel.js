// Parallel coordinates: a line per setting through its values and measures, worse ones fainter.

const LANES = { height: 360, right: 44, top: 58, bottom: 34, least: 92, most: 15 };
const parallel = { marks: new Map() };

function startParallel() {
  const body = byId('parallel-body');
  if (!sweep.measure || lanes().length < 2) {
    replace(body, el('p', { class: 'muted' }, 'No setting has a measure yet.'));
    return;
  }
  const least = leftOfLanes() + LANES.right + LANES.least * (lanes().length - 1);
  const drawing = responsive(drawLanes, least);
  replace(body, scroller('Parallel coordinates', drawing),
    el('p', { id: 'parallel-legend', class: 'muted small' }));
  ['filter', 'colour', 'measure'].forEach((event) => on(event, drawing.redraw));
  on('highlight', () => lightMarks(parallel.marks));
}

// {name, ticks, at(group)}: where the lane is crossed, from 0 (bottom) to 1; null for nowhere.
const lanes = once(() => [
  ...[...sweep.axes.keys()].filter((k) => !sweep.axes[k].seed).map(settingLane),
  ...Object.keys(sweep.verdicts).map(measureLane),
]);

function settingLane(index) {
  const axis = sweep.axes[index];
  const value = (group) => trials[sweep.groups[group][0]].values[index];
  const numbers = axis.values.filter((each) => typeof each === 'number');
  const others = axis.values.filter((each) => typeof each !== 'number' && each !== null);
  if (numbers.length > MOST_COLOURS && !others.length) return rangeLane(axis, numbers, value);
  const last = Math.max(1, axis.values.length - 1);
  const every = Math.ceil(axis.values.length / 12);
  return {
    name: nameParts(axis.name),
    ticks: axis.values.map((value, k) => [k / last, shown(value)])
      .filter((_, k) => k % every === 0),
    at: (group) => axis.values.indexOf(value(group)) / last,
  };
}

// Many numbers are points of a range, as a search draws them; over a power of ten by logarithm.
function rangeLane(axis, numbers, value) {
  const [low, high] = extremes(numbers);
  const scale = (low > 0 && high / low >= 10 ? logarithmic : linear)(low, high, 0, 1);
  const ticks = scale.ticks(5);
  const labels = tickLabels(ticks);
  return {
    name: nameParts(axis.name),
    ticks: ticks.map((each, k) => [scale(each), labels[k]]),
    at: (group) => { const each = value(group); return each === null ? null : scale(each); },
  };
}

function measureLane(name) {
  const { standings, better } = sweep.verdicts[name];
  const [low, high] = extremes(standings.map((each) => each.mean));
  const scale = better === 'lower' ? linear(high, low, 0, 1) : linear(low, high, 0, 1);
  const [best, worst] = better === 'lower' ? [low, high] : [high, low];
  return {
    name: ['', arrowed(name)],
    ends: [best, worst].map((value) => number(value, decimalsOf(name))),
    at: (group) => { const place = placeOf(name, group); return place ? scale(place.mean) : null; },
  };
}

const laneY = (share) => LANES.height - LANES.bottom
  - share * (LANES.height - LANES.top - LANES.bottom);

// Room for the values of the first lane, which stand left of it, and for its name.
function leftOfLanes() {
  const [{ ticks = [], name }] = lanes();
  const longest = Math.max(0, ...ticks.map(([, label]) => Math.min(label.length, LANES.most)));
  return Math.max(20, longest * CHARACTER + 12, (name[1].length * CHARACTER) / 2);
}

function drawLanes(width) {
  const x = linear(0, lanes().length - 1, leftOfLanes(), width - LANES.right);
  const last = Math.max(1, sweep.verdicts[state.measure].standings.length - 1);
  const drawn = shownGroups().filter((group) => placeOf(state.measure, group))
    .sort((a, b) => placeOf(state.measure, b).rank - placeOf(state.measure, a).rank);
  parallel.marks = new Map();
  const lines = drawn.map((group) => {
    const place = placeOf(state.measure, group);
    const opacity = 0.15 + 0.8 * (1 - place.rank / last) ** 2;
    const line = svg('path', {
      class: 'lane-line', d: laneCrossings(group, x),
      style: { stroke: colourOf(sweep.groups[group][0]), strokeOpacity: opacity.toFixed(2) },
      ...groupEvents(group, () => (
        `${state.measure} ${number(place.mean, decimalsOf(state.measure))}`)),
    });
    parallel.marks.set(group, line);
    return line;
  });
  lightMarks(parallel.marks);
  byId('parallel-legend').textContent = 'Each line is one setting; the worse its '
    + `${state.measure}, the fainter. Measures are turned so that better is up.`;
  return plot(
    width, LANES.height, `Settings and measures of ${counted(drawn.length, 'setting')}; the table `
      + 'has the values', { class: 'plot lanes' },
    lines, lanes().map((lane, k) => drawLane(lane, x(k))),
  );
}

// A line that leaves out what a setting does not have.
function laneCrossings(group, x) {
  let pen = 'M';
  return lanes().map((lane, k) => {
    const share = lane.at(group);
    if (share === null || share < 0) { pen = 'M'; return ''; }
    const part = `${pen}${x(k).toFixed(1)} ${laneY(share).toFixed(1)}`;
    pen = 'L';
    return part;
  }).join('');
}

function drawLane(lane, px) {
  const [section, leaf] = lane.name;
  const middle = { 'text-anchor': 'middle' };
  const ends = lane.ends ? [
    svgText(px, laneY(1) - 8, { class: 'tick', ...middle }, lane.ends[0]),
    svgText(px, laneY(0) + 18, { class: 'tick', ...middle }, lane.ends[1]),
  ] : lane.ticks.map(([share, label]) => svgText(
    px - 6, laneY(share) + 4, { class: 'tick outlined', 'text-anchor': 'end' },
    shortened(label, LANES.most),
  ));
  return [
    svg('line', { class: 'lane', x1: px, x2: px, y1: laneY(1), y2: laneY(0) }),
    section ? svgText(px, 12, { class: 'tick', ...middle }, shortened(section, 14)) : null,
    svgText(px, 27, { class: 'axis-name', ...middle }, shortened(leaf, LANES.most)),
    ends,
  ];
}
