// One row of dots for each of the best settings: its seeds, their mean, and the band of noise.

const MOST_PLACES = 8;

function places(verdict) {
  const top = verdict.standings.slice(0, MOST_PLACES);
  const [best] = top;
  const edges = top.flatMap((each) => [...each.levelled, each.mean]);
  if (verdict.floor !== null) edges.push(best.mean + verdict.floor, best.mean - verdict.floor);
  const at = linear(...rangeOf(edges, 0.04), 0, 100);
  const more = verdict.standings.length - top.length;
  const shaded = verdict.floor === null ? '' : '; shaded: cannot be told from the best';
  const dots = repeats ? ' Dots are seeds, without what a seed does to all settings.' : '';
  return el(
    'div', { class: 'places' },
    el('p', { class: 'muted small' },
      `${verdict.measure}, ${verdict.better} is better${shaded}.${dots}`),
    el('ol', {}, top.map((each, rank) => placeRow(verdict, each, rank, at, placeNames(top)))),
    more ? el('p', { class: 'muted small' },
      el('a', { href: '#trials' }, `and ${more} more in the table`)) : null,
  );
}

// By group; only what these settings do not have in common.
function placeNames(top) {
  const values = top.map(({ group }) => pairsOf(sweep.groups[group][0], false));
  const differs = (k) => new Set(values.map((pairs) => shown(pairs[k][1]))).size > 1;
  const text = (pairs) => pairs.filter((_, k) => differs(k))
    .map(([axis, value]) => `${axisName(axis.name)}=${shown(value)}`).join('  ');
  return new Map(top.map(({ group }, k) => [group, text(values[k]) || groupLabel(group)]));
}

function placeRow(verdict, each, rank, at, names) {
  const members = sweep.groups[each.group];
  const chance = each.chance === null ? '' : `, best with a chance of ${percent(each.chance)}`;
  return el(
    'li', { class: rank === 0 ? 'best' : each.inside ? 'inside' : '' }, el(
      'button', {
        class: 'place', title: `${groupLabel(each.group)}${chance}`,
        onclick: () => openDetails(bestMember(each.group, verdict.measure)),
        onmouseenter: () => setHover(members), onmouseleave: () => setHover([]),
        onfocus: () => setHover(members), onblur: () => setHover([]),
      },
      el('span', { class: 'place-name' }, names.get(each.group)),
      el('span', { class: 'place-value' }, number(each.mean, decimalsOf(verdict.measure)),
        each.inside ? el('span', { class: 'hidden-text' }, ' (cannot be told from the best)')
          : null),
      placeStrip(verdict, each, at),
    ),
  );
}

function placeStrip(verdict, each, at) {
  const left = (value) => ({ left: `${at(value)}%` });
  const parts = [];
  const floor = each.floor ?? verdict.floor;
  if (floor !== null) {
    const [low, high] = [verdict.standings[0].mean - floor, verdict.standings[0].mean + floor];
    const width = `${at(high) - at(low)}%`;
    parts.push(el('i', { class: 'band', style: { ...left(low), width } }));
  }
  if (each.levelled.length > 1) {
    each.levelled.forEach((value) => parts.push(el('i', { class: 'dot', style: left(value) })));
  }
  parts.push(el('i', { class: 'mean', style: left(each.mean) }));
  return el('div', { class: 'strip', 'aria-hidden': 'true' }, parts);
}
