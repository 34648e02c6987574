// Head of the page, then every part of it. A part that fails says so and leaves the others alone.

const SECTIONS = [
  ['answer', 'Answer'], ['trials', 'Trials'], ['pictures', 'Pictures'], ['curves', 'Curves'],
  ['tradeoff', 'Trade-offs'], ['importance', 'What matters'], ['tree', 'Shared'],
];

function startHead() {
  byId('title').textContent = sweep.title;
  const fixed = sweep.fixed.length ? ` · fixed: ${sweep.fixed.join('  ')}` : '';
  byId('meta').textContent = `${counted(trials.length, 'trial')}: ${statesText()} · ${sweep.made}${fixed}`;
  byId('nav').append(...SECTIONS.map(([id, text]) => el('a', { href: `#${id}` }, text)));
  byId('foot').textContent = 'Made by lora_sweep from the results folder; make it again with python -m lora_sweep.results.report FOLDER.';
}

function start(section, part) {
  try {
    part();
  } catch (error) {
    byId(section).append(el('p', { class: 'note bad' }, `This part cannot be shown: ${error.message}`));
    console.error(error);
  }
}

startColours();
start('answer', startHead);
startZoom();
startDetails();
start('trials', startTable);
start('answer', startAnswer);
start('pictures', startGrid);
start('curves', startCurves);
start('tradeoff', startTradeoff);
start('importance', startImportance);
start('tree', startTree);
document.documentElement.dataset.ready = 'yes';
