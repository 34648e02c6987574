// Everything about one trial: how to run it again, how to use its files, all settings.

function startDetails() {
  closeOnBackdrop(byId('details'));
  byId('details').addEventListener('close', () => setHover([]));
}

function openDetails(k) {
  const trial = trials[k];
  replace(
    byId('details'),
    el('div', { class: 'zoom-bar' }, el('h2', { id: 'details-head' }, 'Trial ', el('span', { class: 'mono' }, trial.id)),
      el('span', { class: 'grow' }), el('button', { 'aria-label': 'Close', onclick: () => byId('details').close() }, '✕')),
    el('p', {}, chips(k, true)),
    el('p', { class: 'muted' }, `${trial.name ? `${trial.name} · ` : ''}${trial.state} · ${counted(trial.steps, 'step')} · ${duration(trial.seconds)}`,
      trial.shared ? ` (${duration(trial.shared)} shared)` : ''),
    trial.reason ? el('p', { class: 'note bad' }, trial.reason) : null,
    scoreList(k), siblings(k), trialPictures(k),
    el('h3', {}, 'Run it again'),
    trial.command ? codeBlock(trial.command, 'the command of this trial')
      : el('p', { class: 'muted' }, 'Its settings are not known: it has no config.yaml, or one of another version.'),
    usageParts(k), settingsTable(k),
  );
  if (!byId('details').open) byId('details').showModal();
  byId('details').scrollTop = 0;
}

function scoreList(k) {
  const known = sweep.measures.filter(({ name }) => trials[k].scores[name] !== undefined);
  return known.length ? el('dl', { class: 'facts' }, known.map(({ name }) => el(
    'div', {}, el('dt', {}, `${name} ${arrow(name)}`), el('dd', {}, number(trials[k].scores[name])),
  ))) : null;
}

// The same settings with other seeds.
function siblings(k) {
  const others = sweep.groups[groupOf[k]];
  if (others.length < 2) return null;
  return el('p', { class: 'small' }, 'Seeds: ', others.map((other) => el(
    'button', { class: 'link', 'aria-current': other === k ? 'true' : null, onclick: () => openDetails(other) },
    pairsOf(other).filter(([axis]) => axis.seed).map(([, value]) => shown(value)).join('/'),
  )));
}

function trialPictures(k) {
  const list = trials[k].samples.map((sample) => ({ trial: k, sample }));
  return list.length ? el('div', { class: 'answer-pictures' }, list.slice(0, 24).map((shot, i) => pictureButton(shot, () => {
    byId('details').close();
    openZoom(list, i);
  }))) : null;
}

function usageParts(k) {
  const trial = trials[k];
  if (trial.usage === null) return null;
  return [
    el('h3', {}, 'Use it'),
    trial.folder === null ? null : el('p', {}, 'Files: ', el('a', { href: href(trial.folder) }, trial.folder)),
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
  return el('details', {}, el('summary', {}, `All ${names.length} settings`), el(
    'table', { class: 'settings' }, el('tbody', {}, names.map((name) => el(
      'tr', { class: varied.has(name) ? 'varied' : null }, el('th', { scope: 'row' }, name), el('td', {}, settingText(all[name])),
    ))),
  ));
}

const settingText = (value) => (typeof value === 'string' ? value : JSON.stringify(value));
