// What the reader has chosen. Every part of the page draws itself from it, and is told of changes.

const state = {
  measure: sweep.measure, // that settings are judged by
  hover: [], // trials under the pointer or the focus
  pinned: new Set(), // trials that stay highlighted
  shown: new Set(trials.keys()), // trials that pass the filter
  colourBy: null, // position of an axis
};

const listeners = { measure: [], highlight: [], filter: [], colour: [] };
const on = (event, listener) => listeners[event].push(listener);
const emit = (event) => listeners[event].forEach((listener) => listener());

function setHover(members) {
  const { hover } = state;
  if (members.length === hover.length && members.every((k, i) => k === hover[i])) return;
  state.hover = members;
  emit('highlight');
}

function togglePinned(members) {
  const all = members.every((k) => state.pinned.has(k));
  members.forEach((k) => (all ? state.pinned.delete(k) : state.pinned.add(k)));
  emit('highlight');
}

const isLit = (k) => state.pinned.has(k) || state.hover.includes(k);
const litTrials = () => [...new Set([...state.pinned, ...state.hover])];
const shownTrials = () => [...trials.keys()].filter((k) => state.shown.has(k));
const shownGroups = () => [...sweep.groups.keys()]
  .filter((group) => sweep.groups[group].some((k) => state.shown.has(k)));
