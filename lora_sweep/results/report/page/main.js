// Head of the page, then every part of it. A part that fails says so and leaves the others alone.

const SECTIONS = [
  ['answer', 'Answer'], ['trials', 'Trials'], ['pictures', 'Pictures'], ['curves', 'Curves'],
  ['tradeoff', 'Trade-offs'], ['importance', 'What matters'], ['tree', 'Shared steps'],
];

function startHead() {
  byId('title').textContent = sweep.title;
  const about = [`${counted(trials.length, 'trial')}: ${statesText()}`, sweep.made];
  if (sweep.fixed.length) about.push(`all with ${sweep.fixed.join(' ')}`);
  byId('meta').textContent = about.join(' · ');
  byId('nav').append(...SECTIONS.map(([id, name]) => el('a', { href: `#${id}` }, name)));
  watchOverflow(byId('nav'));
  byId('foot').textContent = 'Made by lora_sweep from the results folder; make it again with '
    + 'python -m lora_sweep.results.report FOLDER.';
}

function start(section, part) {
  try {
    part();
  } catch (error) {
    const words = `This part cannot be shown: ${error.message}`;
    byId(section).append(el('p', { class: 'note bad' }, words));
    console.error(error);
  }
}

start('answer', startHead);
startColours();
startZoom();
startDetails();
start('trials', startTable);
start('answer', startAnswer);
start('pictures', startGrid);
start('pictures', startTraining);
start('curves', startCurves);
start('tradeoff', startTradeoff);
start('tradeoff', startParallel);
start('importance', startImportance);
start('tree', startTree);
document.documentElement.dataset.ready = 'yes';
