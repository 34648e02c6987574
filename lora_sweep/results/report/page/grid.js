// The grid of pictures, and the choice of its edges.

const SIZES = { small: 72, medium: 112, large: 176 };
const FEW_COLUMNS = 5;

function startGrid() {
  if (!shots().length) {
    const none = el('p', { class: 'muted' }, 'No pictures have been drawn yet.');
    replace(byId('pictures-grid'), none);
    byId('pictures-grid').removeAttribute('tabindex');
    return;
  }
  chooseEdges();
  const roomy = (grid.columns?.values.length ?? 1) <= FEW_COLUMNS && innerWidth > 860;
  grid.size = roomy ? 'large' : 'medium';
  fixOthers();
  drawGridTools();
  drawGrid();
  watchOverflow(byId('pictures-grid'));
  on('filter', drawGrid);
  on('measure', () => { fixOthers(); drawGridTools(); drawGrid(); });
}

function drawGridTools() {
  const pick = (edge) => (d) => {
    const other = edge === 'rows' ? 'columns' : 'rows';
    if (d && grid[other] === d) grid[other] = grid[edge];
    grid[edge] = d;
    fixOthers();
    drawGridTools();
    drawGrid();
  };
  const options = [{ text: 'none', value: null },
    ...dimensions().map((d) => ({ text: d.name, value: d }))];
  const tools = options.length < 2 ? [] : [
    choice('Columns', options, grid.columns, pick('columns')),
    choice('Rows', options, grid.rows, pick('rows')),
  ];
  grid.fixed.forEach((chosen, d) => {
    const values = d.values.map((value) => ({ text: written(d, value), value }));
    const any = canBeAny(d) ? [{ text: 'any, best first', value: ANY }] : [];
    tools.push(choice(d.name, [...any, ...values], chosen, (value) => {
      grid.fixed.set(d, value);
      drawGrid();
    }));
  });
  const sizes = Object.keys(SIZES).map((size) => ({ text: size, value: size }));
  tools.push(choice('Size', sizes, grid.size, (size) => { grid.size = size; drawGrid(); }));
  replace(byId('pictures-tools'), tools);
}

function drawGrid() {
  const { columns, rows, shot, list, cut } = gridCells();
  const more = cut ? `, and ${counted(cut, 'row')} more` : '';
  byId('pictures-count').textContent = counted(list.length, 'picture') + more;
  byId('pictures-grid').style.setProperty('--cell', `${SIZES[grid.size]}px`);
  if (!list.length) {
    replace(byId('pictures-grid'), el('p', { class: 'muted' }, 'No picture has these values.'));
    return;
  }
  const cell = (row, column) => {
    const found = shot(row, column);
    return el('td', {}, found ? pictureButton(found, () => openZoom(list, list.indexOf(found)))
      : el('span', { class: 'no-picture', title: 'no such picture' }, '–'));
  };
  const body = rows.map((row) => el(
    'tr', {}, grid.rows ? el('th', { scope: 'row' }, written(grid.rows, row)) : null,
    columns.map((column) => cell(row, column)),
  ));
  replace(byId('pictures-grid'), el(
    'table', { class: 'picture-table' },
    el('caption', { class: 'hidden-text' }, 'Pictures by settings'),
    gridHead(columns), el('tbody', {}, body),
  ));
}

function gridHead(columns) {
  if (!grid.columns) return null;
  const corner = grid.rows ? el('td', { class: 'muted small' },
    el('div', {}, `${grid.columns.name} →`), el('div', {}, `${grid.rows.name} ↓`)) : null;
  return el('thead', {}, el('tr', {}, corner, columns.map((value) => el(
    'th', { scope: 'col' }, written(grid.columns, value),
  ))));
}

// A thumbnail that opens the picture, and highlights its trial.
function pictureButton(shot, onclick) {
  const { trial, sample } = shot;
  return el('button', {
    class: 'picture', onclick,
    onmouseenter: () => setHover([trial]), onmouseleave: () => setHover([]),
    onfocus: () => setHover([trial]), onblur: () => setHover([]),
  }, el('img', {
    src: pictureUrl(sample[3]), alt: altOf(shot), loading: 'lazy', decoding: 'async',
  }));
}

const altOf = ({ trial, sample }) => (
  `${sweep.prompts[sample[0]]}, seed ${sample[1]}, step ${sample[2]}; ${labelOf(trial)}`);
