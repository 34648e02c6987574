// Everything about one trial: how to run it again, how to use its files, all settings.

const MOST_DETAIL_PICTURES = 24;

function startDetails() {
  closeOnBackdrop(byId('details'));
  byId('details').addEventListener('close', () => setHover([]));
}

function openDetails(k) {
  const trial = trials[k];
  const name = trial.name ? `${trial.name} · ` : '';
  const shared = trial.shared ? ` (${duration(trial.shared)} shared)` : '';
  replace(
    byId('details'),
    el('div', { class: 'zoom-bar' },
      el('h2', { id: 'details-head' }, 'Trial ', el('span', { class: 'mono' }, trial.id)),
      el('span', { class: 'grow' }), closeButton(byId('details'))),
    el('p', {}, chips(k, true)),
    el('p', { class: 'muted' }, `${name}${trial.state} · ${counted(trial.steps, 'step')} · `
      + `${duration(trial.seconds)}${shared}`),
    trial.reason ? el('p', { class: 'note bad' }, trial.reason) : null,
    scoreList(k), siblings(k), trialPictures(k),
    el('h3', {}, 'Run it again'),
    trial.command ? codeBlock(trial.command, 'the command of this trial')
      : el('p', { class: 'muted' },
        'Its settings are not known: it has no config.yaml, or one of another version.'),
    usageParts(k), settingsTable(k),
  );
  if (!byId('details').open) byId('details').showModal();
  byId('details').scrollTop = 0;
}

function scoreList(k) {
  const known = sweep.measures.filter(({ name }) => trials[k].scores[name] !== undefined);
  return known.length ? el('dl', { class: 'facts scores' }, known.map(({ name }) => el(
    'div', {}, el('dt', {}, arrowed(name)), el('dd', {}, number(trials[k].scores[name])),
  ))) : null;
}

// The same settings with other seeds.
function siblings(k) {
  const others = sweep.groups[groupOf[k]];
  if (others.length < 2) return null;
  return el('p', { class: 'small' }, 'Other seeds: ', others.map((other) => el(
    'button', {
      class: 'link', 'aria-current': other === k ? 'true' : null, onclick: () => openDetails(other),
    }, pairsOf(other).filter(([axis]) => axis.seed).map(([, value]) => shown(value)).join('/'),
  )));
}

function trialPictures(k) {
  const list = trials[k].samples.map((sample) => ({ trial: k, sample }))
    .sort((a, b) => b.sample[2] - a.sample[2]); // what it came to, then how
  if (!list.length) return null;
  const open = (i) => () => { byId('details').close(); openZoom(list, i); };
  return el('div', { class: 'answer-pictures' },
    list.slice(0, MOST_DETAIL_PICTURES).map((shot, i) => pictureButton(shot, open(i))));
}

function usageParts(k) {
  const trial = trials[k];
  if (trial.usage === null) return null;
  return [
    el('h3', {}, 'Use it'),
    trial.folder === null ? null
      : el('p', {}, 'Files: ', el('a', { href: href(trial.folder) }, trial.folder)),
    el('ul', {}, trial.comfyui.map((line) => el('li', {}, line))),
    el('p', {}, 'diffusers:'),
    codeBlock(sweep.usages[trial.usage].replaceAll('{id}', trial.id), 'the code for diffusers'),
  ];
}

function settingsTable(k) {
  const all = { ...sweep.common, ...trials[k].settings };
  const names = Object.keys(all);
  if (!names.length) return null;
  const varied = new Set(Object.keys(trials[k].settings));
  const order = [...names.filter((name) => varied.has(name)),
    ...names.filter((name) => !varied.has(name))];
  return el('details', {}, el('summary', {}, `All ${names.length} settings`), el(
    'table', { class: 'settings' }, el('tbody', {}, order.map((name) => el(
      'tr', { class: varied.has(name) ? 'varied' : null },
      el('th', { scope: 'row' }, name), el('td', {}, settingText(all[name])),
    ))),
  ));
}

const settingText = (value) => (typeof value === 'string' ? value : JSON.stringify(value));
