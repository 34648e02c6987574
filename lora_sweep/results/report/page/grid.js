// Pictures by any two of: the settings that vary, prompt, picture seed, step. The others are fixed.

const ANY = 'any';
const MOST_CELLS = 600;
const SIZES = { small: 72, medium: 112, large: 176 };

// Every picture with its place on all dimensions.
const shots = once(() => trials.flatMap((trial, k) => trial.samples.map((sample) => ({
  trial: k,
  sample,
  at: [...trial.values.map((value) => value ?? null), sample[0], sample[1], sample[2]],
}))));

const dimensions = once(() => {
  const distinct = (index) => [...new Set(shots().map((shot) => shot.at[index]))];
  const many = sweep.axes.length;
  const all = [
    ...sweep.axes.map((axis, index) => ({
      index, name: axisName(axis.name), seed: axis.seed, values: axis.values.filter((v) => distinct(index).includes(v)),
    })),
    { index: many, name: 'prompt', values: distinct(many), write: (p) => sweep.prompts[p] },
    { index: many + 1, name: 'picture seed', values: distinct(many + 1).sort((a, b) => a - b) },
    { index: many + 2, name: 'step', values: distinct(many + 2).sort((a, b) => a - b), last: true },
  ];
  return all.filter((each) => each.values.length > 1);
});

const grid = { columns: null, rows: null, fixed: new Map(), size: 'medium' };
const written = (dimension, value) => (dimension.write ? dimension.write(value) : shown(value));

function startGrid() {
  if (!shots().length) {
    replace(byId('pictures-grid'), el('p', { class: 'muted' }, 'No pictures have been drawn yet.'));
    byId('pictures-grid').removeAttribute('tabindex');
  } else {
    const settings = dimensions().filter((d) => !d.seed && d.index < sweep.axes.length && d.values.length <= 24);
    const prompt = dimensions().find((d) => d.name === 'prompt');
    const seed = dimensions().find((d) => d.name === 'picture seed');
    [grid.columns] = [settings[0], prompt, seed].filter(Boolean);
    [grid.rows] = [settings[1], prompt, seed].filter((d) => d && d !== grid.columns);
    fixOthers();
    drawGridTools();
    drawGrid();
    on('filter', drawGrid);
    on('measure', () => { fixOthers(); drawGridTools(); drawGrid(); });
  }
  drawTraining();
}

// Trials, best first by the chosen measure: the first that fits a cell is shown in it.
function byPlace() {
  const rank = (k) => placeOf(state.measure, groupOf[k])?.rank ?? Infinity;
  return [...trials.keys()].sort((a, b) => rank(a) - rank(b) || a - b);
}

// What is not on an edge of the grid is that of the best trial, if that leaves no cell empty.
function fixOthers() {
  const best = byPlace().find((k) => trials[k].samples.length);
  grid.fixed = new Map();
  dimensions().filter((d) => d !== grid.columns && d !== grid.rows).forEach((d) => {
    const ofBest = shots().filter((shot) => shot.trial === best).map((shot) => shot.at[d.index]);
    grid.fixed.set(d, d.last ? Math.max(...ofBest) : ofBest[0]);
  });
  const cells = (fixed) => new Set(matching(fixed).map(cellOf)).size;
  const most = cells(new Map());
  [...grid.fixed.keys()].filter((d) => d.index < sweep.axes.length || d.last).forEach((d) => {
    if (cells(grid.fixed) === most) return;
    const without = new Map(grid.fixed).set(d, ANY);
    if (cells(without) > cells(grid.fixed)) grid.fixed = without;
  });
}

function matching(fixed) {
  const wanted = [...fixed].filter(([, value]) => value !== ANY);
  return shots().filter((shot) => wanted.every(([d, value]) => shot.at[d.index] === value));
}

const cellOf = (shot) => JSON.stringify([grid.rows, grid.columns].map((d) => (d ? shot.at[d.index] : null)));

function drawGridTools() {
  const named = (d) => ({ text: d.name, value: d });
  const pick = (edge) => (d) => {
    const other = edge === 'rows' ? 'columns' : 'rows';
    if (grid[other] === d) grid[other] = grid[edge];
    grid[edge] = d;
    fixOthers();
    drawGridTools();
    drawGrid();
  };
  const options = dimensions().map(named);
  const none = { text: 'none', value: null };
  const tools = [];
  if (options.length) {
    tools.push(choice('Columns', [none, ...options], grid.columns ?? null, pick('columns')));
    tools.push(choice('Rows', [none, ...options], grid.rows ?? null, pick('rows')));
  }
  grid.fixed.forEach((chosen, d) => {
    const values = d.values.map((value) => ({ text: written(d, value), value }));
    const any = d.index < sweep.axes.length || d.last ? [{ text: 'any, best first', value: ANY }] : [];
    tools.push(choice(d.name, [...any, ...values], chosen, (value) => {
      grid.fixed.set(d, value);
      drawGrid();
    }));
  });
  tools.push(choice('Size', Object.keys(SIZES).map((s) => ({ text: s, value: s })), grid.size, (size) => {
    grid.size = size;
    drawGrid();
  }));
  replace(byId('pictures-tools'), tools);
}

function drawGrid() {
  const order = new Map(byPlace().map((k, rank) => [k, rank]));
  const found = new Map();
  matching(grid.fixed).filter((shot) => state.shown.has(shot.trial))
    .sort((a, b) => order.get(a.trial) - order.get(b.trial) || b.sample[2] - a.sample[2])
    .forEach((shot) => { if (!found.has(cellOf(shot))) found.set(cellOf(shot), shot); });
  const valuesOf = (d) => (d ? d.values.filter((v) => [...found.values()].some((s) => s.at[d.index] === v)) : [null]);
  const columns = valuesOf(grid.columns);
  const rows = valuesOf(grid.rows).slice(0, Math.max(1, Math.floor(MOST_CELLS / Math.max(1, columns.length))));
  const list = rows.flatMap((row) => columns.map((column) => found.get(JSON.stringify([row, column])))).filter(Boolean);
  byId('pictures-count').textContent = counted(list.length, 'picture');
  byId('pictures-grid').style.setProperty('--cell', `${SIZES[grid.size]}px`);
  const head = grid.columns ? el('thead', {}, el(
    'tr', {}, el('td', {}, corner()), columns.map((value) => el('th', { scope: 'col' }, written(grid.columns, value))),
  )) : null;
  const body = rows.map((row) => el(
    'tr', {},
    el('th', { scope: 'row' }, grid.rows ? written(grid.rows, row) : ''),
    columns.map((column) => {
      const shot = found.get(JSON.stringify([row, column]));
      return el('td', {}, shot ? pictureButton(shot, () => openZoom(list, list.indexOf(shot)))
        : el('span', { class: 'no-picture', title: 'no such picture' }, '–'));
    }),
  ));
  replace(byId('pictures-grid'), list.length
    ? el('table', { class: 'picture-table' }, el('caption', { class: 'hidden-text' }, 'Pictures by settings'), head, el('tbody', {}, body))
    : el('p', { class: 'muted' }, 'No picture has these values.'));
}

const corner = () => el('span', { class: 'muted small' }, grid.rows ? `${grid.rows.name} ↓  ${grid.columns.name} →` : '');

// A thumbnail that opens the picture, and highlights its trial.
function pictureButton(shot, onclick) {
  const { trial, sample } = shot;
  return el('button', {
    class: 'picture', onclick,
    onmouseenter: () => setHover([trial]), onmouseleave: () => setHover([]),
    onfocus: () => setHover([trial]), onblur: () => setHover([]),
  }, el('img', { src: pictureUrl(sample[3]), alt: altOf(shot), loading: 'lazy', decoding: 'async' }));
}

const altOf = ({ trial, sample }) => `${sweep.prompts[sample[0]]}, seed ${sample[1]}, step ${sample[2]}; ${labelOf(trial)}`;

// The pictures trained on, beside those that came of it.
function drawTraining() {
  const parts = sweep.sets.flatMap((set) => [
    el('h3', {}, sweep.sets.length > 1 ? `Trained on: ${set.name}` : 'Trained on',
      el('span', { class: 'muted' }, ` ${set.num_train}`)),
    strip(set.train, 'training picture'),
    set.heldout.length ? el('h3', {}, 'Held out', el('span', { class: 'muted' }, ` ${set.num_heldout}`)) : null,
    set.heldout.length ? strip(set.heldout, 'held-out picture') : null,
  ]);
  replace(byId('training'), parts);
  byId('training').hidden = !parts.length;
}

function strip(indices, what) {
  return el('div', { class: 'thumbs' }, indices.map((index, k) => el(
    'img', { src: pictureUrl(index), alt: `${what} ${k + 1}`, loading: 'lazy', decoding: 'async' },
  )));
}
