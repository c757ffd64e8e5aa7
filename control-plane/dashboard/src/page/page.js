'use strict';
// Every text goes into the page through textContent or setAttribute: names come from members, and none is ever markup.
// The policy forbids the rest (require-trusted-types-for 'script').
const EVERY_MS = 5000;
const state = { me: null, over: null, key: '', timer: 0, query: '' };
const at = (id) => document.getElementById(id);

function el(name, attributes, ...children) {
  const svg = name === 'svg' || name === 'rect' || name === 'title';
  const node = svg ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === 'click') node.addEventListener('click', value);
    else if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return node;
}
const tag = (text, kind) => el('span', { class: 'tag ' + (kind || 'quiet') }, text);
const quiet = (text) => el('p', { class: 'quiet' }, text);
const number = (n) => n.toLocaleString('en-US');
const usd = (text) => text === null || text === undefined ? 'unknown' :
  (Number(text) < 0 ? '-' : '') + '$' + Math.abs(Number(text)).toLocaleString('en-US',
    { minimumFractionDigits: 2, maximumFractionDigits: 2 });
function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 90) return s + ' s';
  if (s < 5400) return Math.round(s / 60) + ' min';
  return s < 172800 ? Math.round(s / 3600) + ' h' : Math.round(s / 86400) + ' d';
}
const ago = (then) => el('time', { title: new Date(then).toISOString() }, span(state.over.at - then) + ' ago');
const until = (then) => el('time', { title: new Date(then).toISOString() },
  then > state.over.at ? 'in ' + span(then - state.over.at) : 'due');
const spelled = (g) => g.account + '/' + g.region + '/' + g.name;
const hash = (...parts) => '#/' + parts.map(encodeURIComponent).join('/');
const link = (text, ...parts) => el('a', { href: hash(...parts) }, text);
const groupLink = (g) => link(g.name, 'group', spelled(g));

function table(heads, rows, empty) {
  if (!rows.length) return quiet(empty || 'None.');
  const head = el('tr', null, heads.map((h) => el('th', { class: h.startsWith('#') ? 'n' : '', scope: 'col' },
    h.replace('#', ''))));
  const line = (row) => el('tr', null, row.map((cell, i) =>
    el('td', { class: heads[i].startsWith('#') ? 'n' : '' }, cell === null || cell === undefined ? '' : cell)));
  return el('div', { class: 'scroll', tabindex: '0' }, el('table', null, el('thead', null, head),
    el('tbody', null, rows.map(line))));
}
const section = (title, note, ...body) => el('section', null,
  el('h2', null, title, ' ', el('small', null, note || '')), body);
const wide = (node) => { node.classList.add('wide'); return node; };
const tile = (n, text, kind) => el('div', { class: 'tile' },
  el('b', { class: kind || '' }, typeof n === 'number' ? number(n) : n), el('span', null, text));

async function api(path, body) {
  const asked = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', 'x-csrf-token': (state.me && state.me.csrf) || '' } };
  const got = await fetch(path, asked);
  const told = await got.json();
  if (!got.ok) throw Object.assign(new Error(told.error || 'failed'), { status: got.status });
  return { told, stale: got.headers.get('x-stale') === 'true' };
}

function brakeName(b) {
  const of = b.of && b.of.site ? b.of.site.account + '/' + b.of.site.region + '/' + b.of.name : b.of;
  return { all: 'everything, rescues too', org: 'the organization', ou: 'unit ' + of, account: 'account ' + of,
    region: 'region ' + of, group: 'group ' + of }[b.scope] || b.scope;
}
async function setBrake(deed, scope) {
  const why = window.prompt((deed === 'pause' ? 'Pause ' : 'Resume ') + brakeName(scope) + '. Why?');
  if (why === null) return;
  try { await api('/api/brake', { deed, why, ...scope }); } catch (e) { window.alert(e.message); }
  state.key = '';
  tick();
}
const pause = (scope, text) => state.me.operates
  ? el('button', { click: () => setBrake('pause', scope) }, text || 'Pause') : null;
const scopeOf = (b) => b.of === undefined ? { scope: b.scope } : { scope: b.scope, of: b.of };

function brakes(o) {
  const rows = [];
  if (o.brakes_unreadable) rows.push(el('p', null, 'The brakes cannot be read, so everything is paused: ' +
    o.brakes_unreadable));
  for (const b of o.brakes) rows.push(el('p', null, el('b', null, (b.revert ? 'Back to on-demand: ' : 'Paused: ') +
    brakeName(b)), ' (' + b.why + ') by ' + b.by + ', ', ago(Date.parse(b.at) || b.at),
    state.me.operates ? el('button', { click: () => setBrake('resume', scopeOf(b)) }, 'Resume') : null));
  if (o.brakes_hidden) rows.push(el('p', null, o.brakes_hidden +
    ' more on units, accounts or groups that you do not see.'));
  return rows.length ? el('div', { class: 'banner' + (o.brakes_unreadable ? ' bad' : ''), id: 'brakes' }, rows) : null;
}
const kindOf = (end) => end === 'done' ? 'good' : end === 'stranded' || end === 'failed' ? 'bad' : 'warn';
const flightRows = (list) => list.map((f) => [groupLink(f.group), f.rescue ? tag('rescue', 'warn') : 'swap',
  tag(f.stage), ago(f.entered_at), ago(f.started_at), f.az, f.old + (f.new ? ' → ' + f.new : '')]);
const FLIGHT = ['Group', 'What', 'Step', 'Since', 'Began', 'Zone id', 'Instances'];

function chart(saved) {
  const values = saved.days.map((d) => Number(d.saved_usd));
  const most = Math.max(0.01, ...values.map(Math.abs));
  const bars = saved.days.map((d, i) => {
    const high = Math.max(1, Math.abs(values[i]) / most * 96);
    return el('rect', { x: i * 20 + 2, y: 98 - high, width: 16, height: high, class: values[i] < 0 ? 'loss' : '' },
      el('title', null, d.day + ': ' + usd(d.saved_usd)));
  });
  return el('svg', { class: 'chart', viewBox: '0 0 ' + Math.max(600, values.length * 20) + ' 100', role: 'img',
    preserveAspectRatio: 'none', 'aria-label': 'Saved by day, from ' + saved.days[0].day }, bars);
}

function units(o) {
  const by = new Map();
  for (const a of o.accounts) {
    const name = a.unit || '';
    const sum = by.get(name) || { groups: 0, on_spot: 0, in_flight: 0, held: 0, stranded: 0, accounts: 0, saved: null };
    for (const key of ['groups', 'on_spot', 'in_flight', 'held', 'stranded']) sum[key] += a[key];
    sum.accounts += 1;
    if (a.saved_usd !== null) sum.saved = (sum.saved || 0) + Number(a.saved_usd);
    by.set(name, sum);
  }
  return [...by].sort((a, b) => a[0] < b[0] ? -1 : 1);
}
const HEADS = ['#Groups', '#On Spot', '#In flight', '#Held', '#Stranded', '#Saved, 30 d'];
const cells = (s, saved) => [number(s.groups), number(s.on_spot), number(s.in_flight), number(s.held),
  number(s.stranded), usd(saved)];
function accountTable(list) {
  return table(['Account', 'Unit', ...HEADS], list.map((a) => [link(a.account, 'account', a.account),
    a.unit || el('span', { class: 'quiet' }, 'not known yet'), ...cells(a, a.saved_usd)]), 'No account has a record.');
}

function overview(o) {
  const flying = Object.values(o.in_flight_by_stage).reduce((a, b) => a + b, 0);
  const onSpot = o.accounts.reduce((sum, a) => sum + a.on_spot, 0);
  const held = Object.values(o.holds).reduce((a, b) => a + b, 0);
  const closed = o.pools.filter((p) => p.open).length;
  const tiles = el('div', { class: 'tiles' }, tile(o.groups, 'groups on record'),
    tile(onSpot, 'instances on Spot', 'good'), tile(flying, 'in flight'), tile(held, 'holds'),
    tile(o.stranded.length, 'stranded', o.stranded.length ? 'bad' : ''),
    tile(o.breakers.filter((b) => b.open).length, 'breakers open', o.breakers.length ? 'warn' : ''),
    tile(closed, 'pools closed', closed ? 'warn' : ''),
    tile(o.quarantine.count, 'in quarantine', o.quarantine.count ? 'warn' : ''),
    tile(o.saved ? usd(o.saved.sum.saved_usd) : 'unknown', 'saved, 30 days', o.saved ? 'good' : 'quiet'));
  const stages = Object.entries(o.in_flight_by_stage).map(([s, n]) => s + ' ' + n).join(', ');
  const policy = o.policy === null ? quiet('What is stored of policy cannot be read.') : el('div', null,
    el('p', null, o.policy.chain.length ? 'In force: ' : 'No policy was ever approved.',
      o.policy.chain.map((d) => tag(d.slice(0, 12), 'good'))),
    o.policy.seen && !o.policy.chain.includes(o.policy.seen.digest)
      ? el('p', { class: 'warn' }, 'Published: ' + o.policy.seen.digest.slice(0, 12)) : null,
    o.policy.problem ? el('p', { class: 'bad' }, 'Published policy cannot be read: ' + o.policy.problem.text) : null,
    o.policy.out ? el('p', null, 'On its way: ' + o.policy.out.digest.slice(0, 12) + ', rings reached: ' +
      o.policy.out.reached + (o.policy.out.halted ? '; halted: ' + o.policy.out.halted : '')) : null);
  const workers = o.workers === null ? null : section('Workers', 'last heard', table(['Worker', 'Heard'],
    o.workers.map((w) => [w.worker, ago(Date.parse(w.at) || w.at)]), 'No worker has given a sign of life.'));
  return [tiles, brakes(o), state.me.operates
    ? el('div', { class: 'row' }, pause({ scope: 'org' }, 'Pause the organization')) : null,
  o.cut.length ? el('p', { class: 'banner' }, 'More is stored than is shown of: ' + o.cut.join(', ')) : null,
  el('div', { class: 'grid' },
    wide(section('In flight', stages, table(FLIGHT, flightRows(o.in_flight), 'Nothing is in flight.'))),
    o.stranded.length ? wide(section('Stranded', 'to be put right by their owners', o.stranded.map((s) =>
      el('div', null, groupLink(s.group), ' ', ago(s.at), el('pre', null, s.commands.join('\n')))))) : null,
    section('Units', 'of the organization', table(['Unit', '#Accounts', ...HEADS], units(o).map(([name, s]) =>
      [link(name || 'not known yet', 'unit', name), number(s.accounts), ...cells(s, s.saved)]))),
    section('Holds', 'in force, by reason', table(['Reason', '#Members'], Object.entries(o.holds)
      .sort((a, b) => b[1] - a[1]).map(([r, n]) => [link(r, 'find', r), number(n)]), 'Nothing is held.')),
    wide(section('Accounts', number(o.accounts.length), accountTable(o.accounts))),
    section('Latest ends', 'read every five minutes', table(['When', 'Group', 'End', 'Why'], o.ends.map((e) =>
      [ago(e.at), groupLink(e.group), tag(e.end, kindOf(e.end)), e.why || '']), 'No end is on record.')),
    section('Saved', o.saved ? 'by day; net of the discount ' + usd(o.saved.sum.net_usd) : '', o.saved ? chart(o.saved)
      : quiet('No day was booked yet, so what was saved is not known.')),
    section('Capacity by zone id', 'Spot', table(['Zone id', 'Region', '#On Spot', '#Pools closed', '#Groups refused, 1 h'],
      o.zones.map((z) => [z.az, z.region, number(z.on_spot), z.closed ? el('span', { class: 'warn' }, number(z.closed)) : '0',
        number(z.refused)]), 'Nothing is on record of any zone.')),
    section('Pools that refused', '', table(['Pool', 'Zone id', '#Refusals', 'Asked again'], o.pools.map((p) =>
      [p.type + ' ' + p.product, p.az, number(p.refusals), until(p.until)]), 'No pool is closed.')),
    section('Breakers', 'not closed', table(['Of', 'What', '#Failures', 'Why', 'Next try'], o.breakers.map((b) =>
      [tag(b.guards), b.group ? groupLink(b.group) : b.of, number(b.failures), b.why || '', until(b.until)]))),
    section('Quarantine', 'unreadable messages', table(['When', 'Why', 'Account', '#Bytes'], o.quarantine.rows.map((q) =>
      [ago(q.at), q.reason, q.account || 'unknown', number(q.bytes)]))),
    section('Policy', '', policy), workers)];
}

function groupRows(list) {
  return table(['Group', 'Account', 'Region', '#On Spot', 'Now', 'Held for', 'Last swap'], list.map((g) => [
    groupLink(g.group), link(g.group.account, 'account', g.group.account), g.group.region, number(g.on_spot),
    [g.ops.map((f) => tag((f.rescue ? 'rescue: ' : 'swap: ') + f.stage, 'good')),
      g.waits_until ? tag('waits: ' + (g.why || 'failed'), 'warn') : null,
      g.stranded.length ? tag('stranded', 'bad') : null],
    [...new Set(g.holds.map((h) => h.reason))].map((r) => tag(r)),
    g.last_swap_at ? ago(g.last_swap_at) : '']), 'No group is found.');
}
async function groupList(title, query, ...above) {
  const { told } = await api('/api/groups?' + query);
  const note = told.found > told.rows.length ? 'the first ' + told.rows.length + ' of ' + number(told.found)
    : number(told.found);
  const found = section(title, note, groupRows(told.rows));
  found.querySelector('.scroll')?.style?.setProperty('max-height', 'none');
  return [...above, found];
}
async function onePage(o, name) {
  const { told } = await api('/api/groups?group=' + encodeURIComponent(name));
  const g = told.rows[0];
  if (!g) return [quiet('Nothing is on record of this group, or you may not see it.')];
  const scope = { scope: 'group', of: { site: { account: g.group.account, region: g.group.region }, name: g.group.name } };
  const detail = (h) => h.detail && typeof h.detail === 'object' ? JSON.stringify(h.detail) : '';
  return [el('div', { class: 'tiles' }, tile(g.on_spot, 'on Spot', 'good'), tile(g.ops.length, 'in flight'),
    tile(g.holds.length, 'holds'), tile(g.failures, 'failures in a row', g.failures ? 'warn' : '')),
  brakes(o), el('div', { class: 'row' }, pause(scope, 'Pause this group'), link('Account ' + g.group.account, 'account',
    g.group.account), tag(g.group.region), tag(g.unit || 'unit not known yet'),
  g.waits_until ? tag('waits after ' + (g.why || 'a failure'), 'warn') : null),
  el('div', { class: 'grid' }, wide(section('In flight', '', table(FLIGHT, flightRows(g.ops), 'Nothing is in flight.'))),
    wide(section('Holds', 'why nothing more is done', table(['Member', 'Reason', 'Since', 'In numbers'], g.holds.map((h) =>
      [h.instance || 'the group', tag(h.reason), ago(h.since), el('code', null, detail(h))]), 'Nothing is held.'))),
    section('Latest ends', '', table(['When', 'End', 'Why', 'Swap'], (g.ends || []).map((e) =>
      [ago(e.at), tag(e.end, kindOf(e.end)), e.why || '', e.swap]), 'No end is on record.')),
    section('Spot refused here', 'by zone id', table(['Zone id', 'When'], Object.entries(g.refused || {}).map(([z, t]) =>
      [z, ago(t)]))),
    g.stranded.length ? wide(section('Stranded', '', g.stranded.map((s) => el('pre', null, s.commands.join('\n'))))) : null)];
}

async function page(o) {
  const [kind, ...rest] = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  const what = rest[0] || '';
  at('path').replaceChildren(kind ? kind + ' ' + (what || 'not known yet') : 'organization');
  if (kind === 'account') {
    const a = o.accounts.filter((one) => one.account === what);
    return groupList('Groups', 'account=' + encodeURIComponent(what), brakes(o),
      el('div', { class: 'row' }, pause({ scope: 'account', of: what }, 'Pause this account')),
      section('Account', '', accountTable(a)));
  }
  if (kind === 'unit') return [brakes(o), what ? el('div', { class: 'row' }, pause({ scope: 'ou', of: what },
    'Pause this unit')) : null, section('Accounts', '', accountTable(o.accounts.filter((a) => (a.unit || '') === what)))];
  if (kind === 'group') return onePage(o, what);
  if (kind === 'find') return groupList('Found', 'q=' + encodeURIComponent(what));
  return overview(o);
}

function login(error) {
  clearTimeout(state.timer);
  const token = el('input', { type: 'password', id: 'token', autocomplete: 'off', maxlength: '256', 'aria-label': 'Token' });
  const enter = async () => {
    try { await api('/api/login', { token: token.value }); state.key = ''; start(); } catch (e) { login(e.message); }
  };
  token.addEventListener('keydown', (e) => { if (e.key === 'Enter') enter(); });
  at('main').replaceChildren(el('section', { class: 'login' }, el('h2', null, 'Sign in'),
    el('p', { class: 'bad' }, error || ''), el('div', { class: 'row' }, token, el('button', { click: enter }, 'Sign in'))));
  token.focus();
}

let drawing = 0;
async function draw() {
  const mine = ++drawing;
  const nodes = (await page(state.over)).filter((n) => n);
  if (mine !== drawing) return;
  const places = [...document.querySelectorAll('.scroll')].map((n) => n.scrollTop);
  at('main').replaceChildren(...nodes);
  document.querySelectorAll('.scroll').forEach((n, i) => { n.scrollTop = places[i] || 0; });
  document.body.dataset.drawn = location.hash || '#/';
}
async function tick() {
  clearTimeout(state.timer);
  try {
    if (!document.hidden) {
      const { told, stale } = await api('/api/overview');
      state.over = told;
      const key = location.hash + ' ' + told.at;
      if (key !== state.key) { await draw(); state.key = key; }
      at('live').className = stale ? 'stale' : '';
      at('live').textContent = (stale ? 'The store cannot be read; this is of ' : 'as of ') +
        new Date(told.at).toLocaleTimeString();
    }
  } catch (e) {
    if (e.status === 401) return login();
    at('live').className = 'stale';
    at('live').textContent = e.message;
  }
  state.timer = setTimeout(tick, EVERY_MS);
}
async function start() {
  try { state.me = (await api('/api/me')).told; } catch (e) { return login(e.status === 401 ? '' : e.message); }
  at('search').hidden = false;
  at('who').replaceChildren(state.me.role + (state.me.name ? ': ' + state.me.name : ''), state.me.name ? el('button',
    { click: async () => { await api('/api/logout', {}).catch(() => 0); location.reload(); } }, 'Sign out') : '');
  tick();
}
window.addEventListener('hashchange', () => { state.key = ''; if (state.over) tick(); });
document.addEventListener('visibilitychange', () => { if (!document.hidden && state.me) tick(); });
at('search').addEventListener('input', (e) => {
  clearTimeout(state.query);
  state.query = setTimeout(() => { location.hash = e.target.value ? hash('find', e.target.value) : '#/'; }, 250);
});
start();
