"use strict";
// Listening pages: one selection (item, codec, operating point, condition, source) decides which clip is on the deck;
// the board, the deck and the blind test show it and change it. Data come from data/PAGE.js: file:// knows no fetch.
(() => {
  const data = window.emoquantPage;
  if (!data) return;
  const $ = (id) => document.getElementById(id);
  const NONE = "not measured";

  // ---------------------------------------------------------------- words and numbers

  // Measures: name in the manifest or in results.csv, label, unit, scale, decimals.
  const MEASURES = [
    ["bits_per_frame", "Rate", "bits/frame", 1, 1],
    ["skip_rate", "Skipped codes", "%", 100, 1],
    ["similarity_reference", "Similarity to the reference", "", 1, 3],
    ["similarity_own", "Similarity to its emotion", "", 1, 3],
    ["similarity_neutral", "Similarity to neutral", "", 1, 3],
    ["vector_similarity", "Similarity of the vector sent", "", 1, 3],
    ["character_error_rate", "Character errors", "%", 100, 1],
    ["word_error_rate", "Word errors", "%", 100, 1],
    ["f0_mean", "Mean F0", "Hz", 1, 0],
    ["f0_deviation", "F0 deviation", "semitones", 1, 2],
    ["f0_error", "F0 error to the recording", "cents", 1, 0],
    ["voicing_error", "Voicing error", "%", 100, 1],
    ["distortion", "Mel-cepstral distortion", "dB", 1, 2],
    ["quality", "DNSMOS", "of 5", 1, 2],
    ["recall", "Recall", "%", 100, 1],
    ["predicted/neutral", "Heard as neutral", "%", 100, 1],
    ["presence", "Both emotions heard", "%", 100, 0],
    ["salience", "Proportion heard", "%", 100, 0],
    ["similarity_partner", "Similarity to the second emotion", "", 1, 3],
    ["speaker_similarity", "Similarity of the speaker", "", 1, 3],
    ["duration_ratio", "Length to the recording's", "", 1, 2],
    ["duration_error", "Error of phone lengths", "ms", 1, 0],
    ["seconds", "Length", "s", 1, 2],
  ];
  const measure = new Map(MEASURES.map(([name, label, unit, scale, digits]) => [name, { name, label, unit, scale, digits }]));
  const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

  const signed = (text) => text.replace(/^-(?=0(\.0*)?$)/, "").replace("-", "\u2212");
  function shown(name, value, unit = true) {
    if (!isNumber(value)) return NONE;
    const { scale, digits, unit: text } = measure.get(name);
    const number = signed((value * scale).toFixed(digits));
    return unit && text ? `${number}\u00a0${text}` : number;
  }

  const axis = "\u03bb";
  function pointText(point) {
    if (point === null) return "none";
    if (point !== 0 && Math.abs(point) < 0.001) return `10${[...point.toExponential().split("e")[1]].map((c) => "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"[c] ?? "\u207b").join("")}`;
    return String(point);
  }
  const short = (emotion) => (emotion ? emotion[0].toUpperCase() + emotion.slice(1, 2) : "\u00b7");
  const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
  const codecText = (name) => name.replaceAll("_", " ");

  // ---------------------------------------------------------------- clips

  const clips = data.clips.map((row) => Object.fromEntries(data.columns.map((column, at) => [column, row[at]])));
  const index = new Map();
  const key = (item, run, kind, condition, codec, point) => [item, run, kind, condition, codec, point].join("|");
  for (const clip of clips) index.set(key(clip.item, clip.run, clip.kind, clip.condition, clip.codec, clip.lmbda), clip);
  const recordings = new Map(clips.filter((clip) => clip.kind === "ground_truth").map((clip) => [data.items[clip.item].reference, clip]));
  const codecs = data.codecs;
  const label = (codec) => codecText(codec.family);
  const conditions = [...new Set(clips.map((clip) => clip.condition))].filter(Boolean).sort();
  const figures = new Map(data.figures.map((row) => [row.slice(0, 6).join("|"), { value: row[6], low: row[7], high: row[8], n: row[9] }]));
  const attraction = new Map((data.attractions ?? []).map((row) => [row.slice(0, 3).join("|"), { value: row[3], low: row[4], high: row[5], n: row[6] }]));

  const SOURCES = {
    point: { label: axis, name: (state) => `${axis} ${pointText(pointOf(state))}` },
    reference: { label: "Reference", name: () => "reference" },
    unquantized: { label: "Unquantized", name: (state) => plain(state) },
    copy: { label: "Through the vocoder", name: () => "reference through the vocoder" },
    random: { label: "Random vector", name: () => "random vector" },
    partner: { label: "Second reference", name: (state) => `second reference, ${partnerOf(state)?.partner_emotion}` },
  };
  function pointOf(state) {
    const points = codecs[state.codec].points;
    return points[Math.min(state.point, points.length - 1)] ?? null;
  }
  function clipOf(state) {
    const { item, condition, codec } = state, { run } = codecs[codec];
    const find = (kind, when, through = null, point = null) => index.get(key(item, run, kind, when, through, point));
    switch (state.source) {
      case "reference": return find("ground_truth", "") ?? recordings.get(data.items[item].reference);
      case "copy": return find("copy_synthesis", "");
      case "random": return find("random_vector", condition);
      case "unquantized": return find("synthesis", condition);
      case "partner": return recordings.get(partnerOf(state)?.partner);
      default: return find("synthesis", condition, codec, pointOf(state));
    }
  }
  const partnerOf = (state) => { const clip = clipOf({ ...state, source: "point" }); return clip?.partner ? clip : null; };
  // Without a codec, mixtures leave the plain average of their references.
  const plain = (state) => (index.get(key(state.item, codecs[state.codec].run, "synthesis", state.condition, null, null))?.partner ? "plain average" : "unquantized");
  const full = (state) => {
    const item = data.items[state.item], { share } = codecs[state.codec];
    const through = state.source === "point" && codecs.length > 1 ? `${label(codecs[state.codec])}, ${share === null ? "" : `${percent(share)} ${partnerOf(state)?.partner_emotion ?? "partner"}, `}` : "";
    return `${item.emotion}, ${item.speaker}: ${through}${SOURCES[state.source].name(state)}`;
  };

  // ---------------------------------------------------------------- player

  const player = {
    sound: null, audio: null, pool: new Map(), loop: false, matched: true,
    highest: Math.max(...Object.values(data.sounds).map((sound) => sound.level ?? -Infinity)),
    element(sound) {
      let audio = this.pool.get(sound);
      if (audio) this.pool.delete(sound);
      else {
        audio = new Audio(`sounds/${sound}.${data.ending}`);
        audio.preload = "auto";
        audio.addEventListener("error", () => say(`The sound ${sound} cannot be played.`));
      }
      this.pool.set(sound, audio);
      for (const [old, other] of this.pool) {
        if (this.pool.size <= 64) break;
        if (other !== this.audio && other !== audio) { other.removeAttribute("src"); this.pool.delete(old); }
      }
      return audio;
    },
    get playing() { return this.audio !== null && !this.audio.paused && !this.audio.ended; },
    get seconds() { return this.sound ? data.sounds[this.sound].seconds : 0; },
    // Where in the sound, as a share of its length: clips of one sentence differ a little in length, and the same share
    // is the same word.
    get place() { return this.audio && this.seconds ? Math.min(1, this.audio.currentTime / this.seconds) : 0; },
    set place(share) { if (this.audio) this.audio.currentTime = Math.max(0, Math.min(share, 0.999)) * this.seconds; },
    load(sound) {
      if (sound === this.sound) return;
      const before = this.audio, place = before && !before.ended ? this.place : 0, playing = this.playing;
      this.sound = sound;
      this.audio = this.element(sound);
      this.audio.loop = this.loop;
      this.place = place;
      this.level();
      if (before) before.pause();
      if (playing) this.start();
    },
    level() {
      const own = data.sounds[this.sound]?.level;
      if (this.audio) this.audio.volume = this.matched || !isNumber(own) ? 1 : 10 ** ((own - this.highest) / 20);
    },
    start() { this.audio?.play().catch((error) => { if (error.name !== "AbortError") say(`This sound does not play: ${error.message}`); }); },
    stop() { this.audio?.pause(); },
    toggle() { if (this.playing) this.stop(); else { if (this.audio?.ended || this.place > 0.99) this.place = 0; this.start(); } },
    repeat(loop) { this.loop = loop; if (this.audio) this.audio.loop = loop; },
  };
  const say = (text) => { $("message").textContent = text; };

  // ---------------------------------------------------------------- selection

  const state = { item: 0, codec: 0, point: 0, condition: conditions[0] ?? "", source: "point" };
  let pinned = null, flipped = null;
  const listeners = [];
  // Another treatment may have been rendered under another condition or of other items alone.
  const instead = (next, change) => (change.codec === undefined ? [] : data.items.flatMap((_, at) => conditions.map((condition) => ({ ...next, condition, item: (next.item + at) % data.items.length }))));
  function select(change, play = false) {
    const next = { ...state, ...change };
    const { points } = codecs[next.codec];
    next.point = Math.max(0, Math.min(next.point, points.length - 1));
    if (!clipOf(next)) Object.assign(next, instead(next, change).find(clipOf));
    const clip = clipOf(next);
    if (!clip) { say(`There is no clip of ${full(next)}${next.condition ? `, condition ${next.condition}` : ""}.`); return false; }
    say("");
    Object.assign(state, next);
    flipped = null;
    player.load(clip.sound);
    for (const by of [-1, 1]) { const near = clipOf({ ...next, point: Math.max(0, next.point + by) }); if (near) player.element(near.sound); }
    history.replaceState(null, "", `#${[state.item, state.codec, state.point, state.condition, state.source].join(".")}`);
    if (play && !player.playing) { if (player.place > 0.99) player.place = 0; player.start(); }
    for (const listener of listeners) listener(clip);
    return true;
  }
  const now = () => clipOf(state);
  function source(name) { select({ source: state.source === name ? "point" : name }); }
  function step(by) { select({ point: (state.source === "point" ? state.point + by : state.point), source: "point" }); }
  function through(codec) {
    const wanted = pointOf(state), { points } = codecs[codec];
    const near = points.reduce((best, point, at) => (Math.abs(point - wanted) < Math.abs(points[best] - wanted) ? at : best), 0);
    return { codec, point: near };
  }
  // Codecs of one treatment that differ in the proportions only.
  const family = (codec) => codecs.map((_, at) => at).filter((at) => codecs[at].run === codecs[codec].run && codecs[at].family === codecs[codec].family).sort((a, b) => codecs[a].share - codecs[b].share);

  function pin() { pinned = { ...state }; flipped = null; refresh(); }
  function flip() {
    if (flipped) { const back = flipped; flipped = null; select(back); return; }
    const other = pinned ?? { ...state, source: "unquantized" }, back = { ...state };
    if (select(other)) { flipped = back; refresh(); }
  }
  const refresh = () => { for (const listener of listeners) listener(now()); };

  // ---------------------------------------------------------------- deck

  const SVG = "http://www.w3.org/2000/svg";
  function make(tag, options = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(options)) {
      if (name === "on") for (const [event, call] of Object.entries(value)) element.addEventListener(event, call);
      else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children);
    return element;
  }
  function draw(tag, options, parent) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(options)) element.setAttribute(name, value);
    parent.append(element);
    return element;
  }

  function deck() {
    const slider = $("point");
    slider.addEventListener("input", () => select({ point: Number(slider.value), source: "point" }));
    $("play").addEventListener("click", () => player.toggle());
    $("position").addEventListener("input", (event) => { player.place = Number(event.target.value) / 1000; moved(); });
    $("picture").addEventListener("pointerdown", (event) => {
      const box = $("picture").getBoundingClientRect();
      player.place = (event.clientX - box.left) / box.width;
      moved();
    });
    for (const button of document.querySelectorAll("[data-source]")) button.addEventListener("click", () => source(button.dataset.source));
    $("pin").addEventListener("click", pin);
    $("flip").addEventListener("click", flip);
    $("matched").addEventListener("change", (event) => { player.matched = event.target.checked; player.level(); });
    $("loop").addEventListener("change", (event) => player.repeat(event.target.checked));
    for (const radio of document.querySelectorAll("[name=condition]")) radio.addEventListener("change", () => select({ condition: radio.value }));
    $("more").addEventListener("click", () => {
      const open = $("deck").classList.toggle("open");
      $("more").setAttribute("aria-expanded", open);
    });
    listeners.push(showNow, showSlider, showFacts, showPicture);
    (function tick() { moved(); requestAnimationFrame(tick); })();
  }

  let told = "";
  function moved() {
    if ($("blind").open) return; // times would tell which sound is which
    const at = player.place;
    $("playhead").style.left = `${at * 100}%`;
    if (document.activeElement !== $("position") || player.playing) $("position").value = Math.round(at * 1000);
    const text = `${(at * player.seconds).toFixed(1)} of ${player.seconds.toFixed(1)} s`;
    if (text !== told) { told = text; $("time").textContent = text; $("position").setAttribute("aria-valuetext", text); }
    const playing = String(player.playing);
    if ($("play").dataset.playing !== playing) {
      $("play").dataset.playing = playing;
      $("play").setAttribute("aria-label", player.playing ? "Pause" : "Play");
    }
  }

  function showNow(clip) {
    const item = data.items[state.item];
    $("now").textContent = full(state);
    $("text").textContent = state.source === "partner" ? data.items[clip.item].said : state.source === "reference" || state.source === "copy" ? item.said : item.text;
    document.body.dataset.file = clip.file;
    for (const button of document.querySelectorAll("[data-source]")) {
      button.setAttribute("aria-pressed", String(button.dataset.source === state.source));
      button.disabled = !clipOf({ ...state, source: button.dataset.source });
      if (button.dataset.source === "partner") button.hidden = button.disabled;
      if (button.dataset.source === "unquantized") button.firstChild.data = plain(state)[0].toUpperCase() + plain(state).slice(1);
    }
    for (const radio of document.querySelectorAll("[name=condition]")) {
      radio.checked = radio.value === state.condition;
      radio.disabled = !clipOf({ ...state, condition: radio.value });
    }
    $("flip").setAttribute("aria-pressed", String(flipped !== null));
    $("compared").textContent = `A: ${pinned ? full(pinned) : plain(state)} \u2014 B: ${full(flipped ?? state)}`;
  }

  let sliderOf = null;
  function showSlider() {
    const { points } = codecs[state.codec], slider = $("point");
    if (sliderOf !== state.codec) {
      sliderOf = state.codec;
      slider.max = Math.max(0, points.length - 1);
      $("ticks").replaceChildren(...points.map((point, at) => make("span", { style: `--at:${points.length > 1 ? at / (points.length - 1) : 0}` }, pointText(point))));
    }
    slider.value = state.point;
    const text = `${axis} ${pointText(pointOf(state))}`;
    slider.setAttribute("aria-valuetext", text);
    $("value").textContent = pointText(pointOf(state));
    $("field").classList.toggle("aside", state.source !== "point");
    [...$("ticks").children].forEach((tick, at) => tick.classList.toggle("here", at === state.point));
    showTrend(points);
  }

  const TRENDS = ["similarity_reference", "similarity_own", "similarity_neutral", "similarity_partner"];
  function showTrend(points) {
    const svg = $("trend");
    svg.replaceChildren();
    const lines = TRENDS.map((name) => points.map((_, at) => clipOf({ ...state, point: at, source: "point" })?.[name]));
    const values = lines.flat().filter(isNumber);
    $("trends").hidden = !values.length || points.length < 2;
    if ($("trends").hidden) return;
    const low = Math.min(...values), high = Math.max(...values), range = high - low || 1;
    const x = (at) => (100 * at) / (points.length - 1), y = (value) => 37 - (34 * (value - low)) / range;
    draw("line", { x1: x(state.point), x2: x(state.point), y1: 0, y2: 40, class: "cursor" }, svg);
    lines.forEach((line, number) => {
      const spots = line.map((value, at) => (isNumber(value) ? `${x(at)},${y(value)}` : null)).filter(Boolean);
      draw("polyline", { points: spots.join(" "), class: `line line-${number}` }, svg);
    });
    $("trend-range").textContent = `between ${shown("similarity_own", low)} and ${shown("similarity_own", high)}`;
  }

  function recallText(clip) {
    const stratum = clip.condition ? `${clip.kind}/${clip.condition}` : clip.kind, item = data.items[clip.item];
    const name = clip.codec === null ? "none" : codecs[clip.codec].name;
    const found = figures.get([clip.run, stratum, name, clip.lmbda, item.emotion, "recall"].join("|"));
    if (!found || !isNumber(found.value)) return NONE;
    const interval = isNumber(found.low) ? ` (${shown("recall", found.low, false)} to ${shown("recall", found.high, false)})` : "";
    return `${shown("recall", found.value)}${interval}, n\u00a0=\u00a0${found.n}`;
  }
  function showFacts(clip) {
    const item = data.items[clip.item];
    const synthetic = clip.kind === "synthesis" || clip.kind === "random_vector";
    const facts = MEASURES.filter(([name]) => data.columns.includes(name) || name === "seconds").map(([name, label]) => [name, label, shown(name, clip[name])]);
    const rows = [
      ["predicted", "Heard as", clip.predicted ? `${clip.predicted}${clip.predicted === item.emotion ? ", its own emotion" : ""}` : NONE],
      ["recall", `Recall of ${item.emotion} here`, recallText(clip)],
      ...facts,
      ["condition", "Condition", clip.condition ? `${clip.condition}, ${CONDITION[clip.condition] ?? ""}${clip.style ? ` (${clip.style})` : ""}` : "a recording"],
      ["seed", "Seed", synthetic ? clip.seed : "none"],
      ["sound", "Sound", clip.sound],
    ];
    $("facts").replaceChildren(...rows.map(([name, label, value]) => make("div", { "data-fact": name, class: value === NONE ? "missing" : null }, make("dt", {}, label), make("dd", {}, value))));
  }
  const CONDITION = { A: "emotion vector alone", B: "with local style" };

  const LOW = 60, HIGH = 600;
  let pictured = "";
  function showPicture(clip) {
    if (pictured === clip.sound) return;
    pictured = clip.sound;
    const sound = data.sounds[clip.sound], svg = $("f0");
    $("spectrum").src = `spectra/${clip.sound}.png`;
    $("spectrum").alt = `Mel spectrogram of ${sound.seconds.toFixed(1)} seconds, 0 to 8 kHz`;
    svg.replaceChildren();
    $("no-f0").hidden = sound.f0 !== null;
    let run = [];
    const end = () => { if (run.length > 1) draw("polyline", { points: run.join(" "), class: "contour" }, svg); run = []; };
    (sound.f0 ?? []).forEach((hertz, at) => {
      if (!hertz) { end(); return; }
      run.push(`${(100 * at * 0.02) / sound.seconds},${100 - (100 * Math.log(hertz / LOW)) / Math.log(HIGH / LOW)}`);
    });
    end();
  }

  // ---------------------------------------------------------------- boards

  const held = new Set(clips.map((clip) => `${clip.item}|${clip.run}`));
  const view = { emotion: "", speaker: "", sort: "emotion", cells: "predicted" };
  function visible() {
    const order = data.items.map((_, at) => at).filter((at) => held.has(`${at}|${codecs[state.codec].run}`) && (!view.emotion || data.items[at].emotion === view.emotion) && (!view.speaker || data.items[at].speaker === view.speaker));
    if (view.sort === "speaker") order.sort((a, b) => data.items[a].speaker.localeCompare(data.items[b].speaker) || a - b);
    return order;
  }
  const heardText = (clip, item) => (clip.predicted ? `heard as ${clip.predicted}` : "not classified");
  function fill(button, clip, item) {
    const name = view.cells;
    button.classList.remove("own");
    button.classList.toggle("number", name !== "predicted");
    button.style.removeProperty("--strength");
    if (!clip) { button.disabled = true; button.querySelector("b").textContent = ""; return; }
    button.disabled = false;
    if (name === "predicted") {
      button.querySelector("b").textContent = short(clip.predicted);
      button.classList.toggle("own", clip.predicted === item.emotion);
    } else {
      const value = clip[name];
      button.querySelector("b").textContent = isNumber(value) ? signed((value * measure.get(name).scale).toFixed(name.startsWith("similarity") ? 2 : 0)).replace(/^(\u2212?)0\./, "$1.") : "\u00b7";
      const [low, high] = ranges.get(name) ?? [0, 1];
      button.style.setProperty("--strength", isNumber(value) ? `${Math.round((100 * (value - low)) / (high - low || 1))}%` : "0%");
    }
    button.setAttribute("aria-label", `${item.emotion}, ${item.speaker}, ${button.dataset.name}: ${name === "predicted" ? heardText(clip, item) : `${measure.get(name).label} ${shown(name, clip[name])}`}`);
  }
  const ranges = new Map(MEASURES.map(([name]) => {
    const values = clips.map((clip) => clip[name]).filter(isNumber);
    return [name, [Math.min(...values), Math.max(...values)]];
  }));

  function press(change) {
    const before = now();
    if (!select(change)) return;
    if (now() === before) player.toggle();
    else if (!player.playing) { if (player.place > 0.99) player.place = 0; player.start(); }
  }

  // Rows: one an item, a cell for reference, unquantized and every point.
  function rowBoard() {
    const board = $("board");
    let cells = [];
    function build() {
      cells = [];
      const { points } = codecs[state.codec], sameText = new Set(data.items.map((item) => item.text)).size === 1;
      const columns = [["reference", "Ref"], ["unquantized", plain(state) === "unquantized" ? "Unq" : "Avg"], ...points.map((point) => ["point", pointText(point)])];
      const head = make("div", { class: "row head", "aria-hidden": "true" }, make("div", { class: "who" }, ""), make("div", { class: "strip", style: `--n:${columns.length}` }, ...columns.map(([, text], at) => make("span", { class: at === 1 ? "gap" : null }, text))));
      const rows = [head];
      let group = null;
      for (const at of visible()) {
        const item = data.items[at], by = view.sort === "speaker" ? item.speaker : item.emotion;
        if (by !== group) { group = by; rows.push(make("h3", {}, by)); }
        const strip = make("div", { class: "strip", role: "group", style: `--n:${columns.length}`, "aria-label": `${item.emotion}, ${item.speaker}` });
        columns.forEach(([kind, text], number) => {
          const change = { item: at, source: kind, ...(kind === "point" ? { point: number - 2 } : {}) };
          const name = kind === "point" ? `${axis} ${text}` : kind === "unquantized" ? plain(state) : kind;
          const button = make("button", { type: "button", class: `cell${number === 1 ? " gap" : ""}`, "data-name": name, on: { click: () => press(change) } }, make("i", { "aria-hidden": "true" }, text), make("b", {}));
          cells.push({ button, change, item });
          strip.append(button);
        });
        const who = view.sort === "speaker" ? item.emotion : item.speaker;
        rows.push(make("div", { class: "row", "data-item": at }, make("div", { class: "who" }, make("span", {}, who), sameText ? "" : make("small", {}, item.text)), strip));
      }
      board.replaceChildren(...rows);
      update();
    }
    function update() {
      for (const { button, change, item } of cells) {
        const cell = { ...state, ...change };
        fill(button, clipOf(cell), item);
        const here = cell.item === state.item && cell.source === state.source && (cell.source !== "point" || cell.point === state.point);
        button.toggleAttribute("data-here", here);
        if (here) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
      }
      for (const row of board.querySelectorAll("[data-item]")) row.classList.toggle("here", Number(row.dataset.item) === state.item);
    }
    let builtFor = state.codec;
    listeners.push(() => { if (builtFor === state.codec) update(); else { builtFor = state.codec; build(); } });
    build();
    const move = (by) => {
      const order = visible(), at = order.indexOf(state.item);
      const next = order[Math.max(0, Math.min(order.length - 1, at + by))];
      if (next !== undefined && select({ item: next })) board.querySelector(`[data-item="${next}"]`)?.scrollIntoView({ block: "nearest" });
    };
    return { build, keys: { ArrowLeft: () => step(-1), ArrowRight: () => step(1), ArrowUp: () => move(-1), ArrowDown: () => move(1) } };
  }

  // Speaker of an item, and its number where an emotion has several items of one speaker.
  function lane(at) {
    const { emotion, speaker } = data.items[at];
    const before = data.items.slice(0, at).filter((item) => item.emotion === emotion && item.speaker === speaker).length;
    return before ? `${speaker}, ${before + 1}` : speaker;
  }

  // Grid: codebooks by emotions, of one speaker.
  function gridBoard() {
    const board = $("board"), emotions = data.emotions;
    const all = codecs.map((_, at) => at), by = (at) => emotions.indexOf(codecs[at].emotion);
    const rows = [...all.filter((at) => by(at) >= 0).sort((a, b) => by(a) - by(b)), ...all.filter((at) => by(at) < 0)];
    let cells = [];
    const at = (change) => (change.codec === undefined ? change : { ...change, ...through(change.codec) });
    const itemsOf = (emotion) => data.items.map((_, at) => at).filter((at) => data.items[at].emotion === emotion && lane(at) === view.speaker);
    function build() {
      cells = [];
      const header = make("tr", {}, make("th", { scope: "col" }, "codebook"), ...emotions.map((emotion) => make("th", { scope: "col" }, emotion)));
      const line = (label, changeOf, kind) => make("tr", { class: kind }, make("th", { scope: "row" }, label), ...emotions.map((emotion) => {
        const found = itemsOf(emotion);
        const own = kind === "biased" && label === emotion;
        const cell = make("td", { class: own ? "own" : null });
        if (!found.length) return cell;
        const change = { item: found[0], ...changeOf };
        const button = make("button", { type: "button", class: "cell", "data-name": `${label} codebook`, on: { click: () => press(at(change)) } }, make("b", {}), make("i", {}));
        cells.push({ button, change, emotion, own });
        cell.append(button, own ? make("span", { class: "mark" }, "matched") : "");
        return cell;
      }));
      const lines = [
        ...rows.map((codec) => line(codecs[codec].emotion ?? label(codecs[codec]), { codec, source: "point" }, codecs[codec].emotion ? "biased" : "aside")),
        line("unquantized", { source: "unquantized" }, "aside"),
        line("reference", { source: "reference" }, "aside"),
      ];
      board.replaceChildren(make("table", { class: "cross" }, make("caption", {}, "Rows are codebooks, columns the emotion of the reference. Below what the classifier hears: attraction, the change of the angle to the codebook's emotion in degrees; negative: drawn there."), make("thead", {}, header), make("tbody", {}, ...lines)));
      update();
    }
    function update() {
      for (const { button, change, emotion, own } of cells) {
        const cell = { ...state, ...at(change) }, item = data.items[change.item], { codec } = change;
        const clip = codec === undefined || pointOf(cell) === pointOf(state) ? clipOf(cell) : null;
        fill(button, clip, item);
        const force = clip && codec !== undefined ? attraction.get([codecs[codec].name, pointOf(cell), emotion].join("|")) : undefined;
        const text = clip && codecs[codec]?.emotion ? (isNumber(force?.value) ? `${signed(force.value.toFixed(1))}\u00b0` : "\u2013") : "";
        button.querySelector("i").textContent = text;
        if (clip) button.setAttribute("aria-label", `${button.getAttribute("aria-label")}${text ? `, attraction ${text === "\u2013" ? NONE : text}` : ""}${own ? ", matched" : ""}`);
        const here = cell.item === state.item && cell.source === state.source && (cell.source !== "point" || cell.codec === state.codec);
        button.toggleAttribute("data-here", here);
        if (here) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
      }
    }
    listeners.push(update);
    const place = () => cells.findIndex(({ button }) => button.hasAttribute("data-here"));
    const move = (by) => {
      const next = cells[Math.max(0, place()) + by];
      if (next) select(at(next.change));
    };
    build();
    return { build, keys: { ArrowLeft: () => move(-1), ArrowRight: () => move(1), ArrowUp: () => move(-emotions.length), ArrowDown: () => move(emotions.length) } };
  }

  // ---------------------------------------------------------------- figures of all clips

  function showFigures() {
    const name = $("figure").value, codec = codecs[state.codec];
    const stratum = `synthesis/${state.condition}`, points = [null, ...codec.points];
    const cell = (point, emotion) => {
      const found = figures.get([codec.run, stratum, point === null ? "none" : codec.name, point, emotion, name].join("|"));
      if (!found || !isNumber(found.value)) return make("td", {}, "\u2013");
      const interval = isNumber(found.low) ? make("small", {}, `${shown(name, found.low, false)} to ${shown(name, found.high, false)}`) : "";
      return make("td", { "data-n": found.n }, shown(name, found.value, false), interval);
    };
    const { label, unit } = measure.get(name);
    const head = make("tr", {}, make("th", { scope: "col" }, "emotion"), ...points.map((point) => make("th", { scope: "col" }, point === null ? "unquantized" : pointText(point))));
    const body = [...data.emotions, "all"].map((emotion) => make("tr", {}, make("th", { scope: "row" }, emotion), ...points.map((point) => cell(point, emotion))));
    const text = `${label}${unit ? ` (${unit})` : ""} over ${axis}, ${codecText(codec.name)}, condition ${state.condition}: means over clips with 95 % bootstrap intervals.`;
    $("figures").replaceChildren(make("caption", {}, text), make("thead", {}, head), make("tbody", {}, ...body));
  }

  // ---------------------------------------------------------------- blind tests

  const test = { log: [], plan: [], at: 0, kind: "abx", voices: {}, heard: {}, since: 0 };
  const coin = (n) => crypto.getRandomValues(new Uint32Array(1))[0] % n;
  const COLUMNS = ["time", "page", "test", "trial", "emotion", "speaker", "reference", "text", "condition", "first", "first_file", "second", "second_file", "x_is", "answer", "correct", "heard_first", "heard_second", "heard_x", "seconds"];

  function pairs() {
    const last = codecs[state.codec].points.length - 1, here = { ...state, source: "point" };
    const found = [
      ["unquantized", `unquantized and ${axis} ${pointText(pointOf(state))}`, { source: "unquantized" }, here],
      ["next", state.point < last ? `${axis} ${pointText(pointOf(state))} and the next, ${pointText(pointOf({ ...state, point: state.point + 1 }))}` : null, here, { source: "point", point: state.point + 1 }],
      ["ends", `the two ends, ${axis} ${pointText(pointOf({ ...state, point: 0 }))} and ${pointText(pointOf({ ...state, point: last }))}`, { source: "point", point: 0 }, { source: "point", point: last }],
      ["reference", `reference and ${SOURCES[state.source].name(state)}`, { source: "reference" }, { source: state.source === "reference" ? "unquantized" : state.source }],
      ["pinned", pinned ? `A and B: ${full(pinned)} and ${full(flipped ?? state)}` : null, pinned, flipped ?? { ...state }],
    ];
    return found.filter(([, label, first, second]) => label && clipOf({ ...state, ...first }) && clipOf({ ...state, ...second }));
  }
  function openTest() {
    player.stop();
    $("pair").replaceChildren(...pairs().map(([name, label]) => make("option", { value: name }, label)));
    part("setup");
    if (!$("blind").open) $("blind").showModal();
  }
  const part = (name) => { for (const each of ["setup", "trial", "outcome"]) $(each).hidden = each !== name; };

  function begin() {
    const [, , first, second] = pairs().find(([name]) => name === $("pair").value);
    const here = { ...state }, scope = $("scope").value === "shown" && $("pair").value !== "pinned" ? visible() : null;
    test.kind = $("kind").value;
    test.log = [];
    test.plan = Array.from({ length: Number($("trials").value) }, () => {
      const item = scope ? { item: scope[coin(scope.length)] } : {};
      const sides = [{ ...here, ...first, ...item }, { ...here, ...second, ...item }];
      return { sides, x: coin(2), swapped: test.kind === "pair" && coin(2) === 1 };
    }).filter(({ sides }) => sides.every(clipOf));
    test.at = 0;
    part("trial");
    trial();
  }
  function trial() {
    const { sides, x, swapped } = test.plan[test.at], item = data.items[sides[0].item];
    const [a, b] = swapped ? [1, 0] : [0, 1];
    test.voices = { A: clipOf(sides[a]), B: clipOf(sides[b]), X: clipOf(sides[x]) };
    test.heard = { A: 0, B: 0, X: 0 };
    test.since = performance.now();
    for (const clip of Object.values(test.voices)) player.element(clip.sound);
    $("question").textContent = test.kind === "abx" ? "Is X the same as A or as B?" : `Which sounds more ${item.emotion === "neutral" ? "neutral" : item.emotion}: A or B?`;
    $("progress").textContent = `Trial ${test.at + 1} of ${test.plan.length}`;
    $("hear-X").hidden = test.kind !== "abx";
    $("answer-A").textContent = test.kind === "abx" ? "X is A" : "A";
    $("answer-B").textContent = test.kind === "abx" ? "X is B" : "B";
    $("same").hidden = test.voices.A.sound !== test.voices.B.sound;
    hear("A", false);
    $("question").focus();
  }
  function hear(name, play = true) {
    if (name === "X" && test.kind !== "abx") return;
    if (play) test.heard[name] += 1;
    player.load(test.voices[name].sound);
    for (const each of ["A", "B", "X"]) $(`hear-${each}`).setAttribute("aria-pressed", String(play && each === name));
    if (play) { if (!player.playing && player.place > 0.99) player.place = 0; player.start(); } else { player.stop(); player.place = 0; }
  }
  function answer(name) {
    const { sides, x, swapped } = test.plan[test.at], item = data.items[sides[0].item], abx = test.kind === "abx";
    const chosen = (name === "A") !== swapped ? 0 : 1, words = ["first", "second"];
    const heard = swapped ? [test.heard.B, test.heard.A] : [test.heard.A, test.heard.B];
    test.log.push({
      time: new Date().toISOString(), page: data.page, test: abx ? "abx" : "pair", trial: test.at + 1, emotion: item.emotion, speaker: item.speaker,
      reference: item.reference, text: item.text, condition: sides[0].condition, first: full(sides[0]), first_file: clipOf(sides[0]).file, second: full(sides[1]), second_file: clipOf(sides[1]).file,
      x_is: abx ? words[x] : "", answer: words[chosen], correct: abx ? Number(chosen === x) : "", heard_first: heard[0], heard_second: heard[1], heard_x: abx ? test.heard.X : "", seconds: ((performance.now() - test.since) / 1000).toFixed(1),
    });
    player.stop();
    test.at += 1;
    if (test.at < test.plan.length) trial(); else outcome();
  }
  // Chance of at least k right of n by guessing.
  function chance(k, n) {
    let total = 0, ways = 1;
    for (let right = 0; right <= n; right += 1) { if (right >= k) total += ways; ways = (ways * (n - right)) / (right + 1); }
    return total / 2 ** n;
  }
  function outcome() {
    const n = test.log.length, abx = test.kind === "abx";
    const k = test.log.filter((row) => (abx ? row.correct === 1 : row.answer === "first")).length;
    const odds = chance(k, n);
    $("score").textContent = abx
      ? `${k} of ${n} right. Guessing reaches that in ${odds < 0.001 ? "less than 0.1" : (100 * odds).toFixed(1)} % of such tests.`
      : `${k} of ${n} times: ${test.log[0].first.split(": ")[1]}; ${n - k} times: ${test.log[0].second.split(": ")[1]}.`;
    $("log").replaceChildren(make("thead", {}, make("tr", {}, ...["trial", "what", abx ? "X was" : "chosen", abx ? "answer" : ""].map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, ...test.log.map((row) => make("tr", {}, make("td", {}, row.trial), make("td", {}, `${row.emotion}, ${row.speaker}`), make("td", {}, abx ? row[row.x_is].split(": ")[1] : row[row.answer].split(": ")[1]), make("td", {}, abx ? (row.correct ? "right" : "wrong") : "")))));
    part("outcome");
    $("save").focus();
  }
  function save() {
    const cell = (value) => (/[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
    const text = [COLUMNS, ...test.log.map((row) => COLUMNS.map((name) => row[name]))].map((row) => row.map(cell).join(",")).join("\r\n");
    const link = make("a", { href: URL.createObjectURL(new Blob([`${text}\r\n`], { type: "text/csv" })), download: `${test.kind === "abx" ? "abx" : "pairs"}-${data.page}-${test.log[0].time.slice(0, 19).replaceAll(":", "")}.csv` });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  // ---------------------------------------------------------------- keys

  function keys(board) {
    const table = {
      " ": () => player.toggle(), r: () => source("reference"), u: () => source("unquantized"), v: () => source("copy"), n: () => source("random"), o: () => source("partner"), "-": () => mix(-1), "+": () => mix(1), "=": () => mix(1),
      c: () => select({ condition: conditions[(conditions.indexOf(state.condition) + 1) % conditions.length] }),
      p: pin, x: flip, b: openTest, l: () => $("loop").click(), m: () => $("matched").click(), ",": () => step(-1), ".": () => step(1),
      Home: () => select({ point: 0, source: "point" }), End: () => select({ point: Infinity, source: "point" }), "?": () => $("help").showModal(), ...board.keys,
    };
    const inTest = { a: () => hear("A"), b: () => hear("B"), x: () => hear("X"), 1: () => answer("A"), 2: () => answer("B"), " ": () => player.toggle() };
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !$("keys").checked) return;
      const target = event.target, name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      if (target.matches("select, textarea, input:not([type=range]):not([type=checkbox]):not([type=radio])")) return;
      if (target.matches("input") && (name.startsWith("Arrow") || name === "Home" || name === "End" || (name === " " && target.type !== "range"))) return;
      if (target.matches("button, a, summary") && name === " ") return;
      const open = document.querySelector("dialog[open]");
      const call = open ? (open.id === "blind" && !$("trial").hidden ? inTest[name] : null) : table[name];
      if (call) { event.preventDefault(); call(); }
    });
  }

  // ---------------------------------------------------------------- start

  // The choice of treatments, and a second slider where one comes in several proportions.
  function treatments(grid) {
    const heads = codecs.map((_, at) => at).filter((at) => family(at)[0] === at), field = $("codec");
    for (const [number, run] of data.runs.entries()) {
      const options = heads.filter((at) => codecs[at].run === number).map((at) => make("option", { value: at }, label(codecs[at])));
      field.append(...(data.runs.length > 1 ? [make("optgroup", { label: codecText(run) }, ...options)] : options));
    }
    field.closest("label").hidden = grid || heads.length < 2;
    field.addEventListener("change", () => {
      const members = family(Number(field.value)), { share } = codecs[state.codec];
      const twin = members.find((at) => codecs[at].share === share) ?? members[Math.floor(members.length / 2)];
      select({ ...through(twin), source: "point" });
    });
    const slider = $("share");
    slider.addEventListener("input", () => select({ ...through(family(state.codec)[Number(slider.value)]), source: "point" }));
    listeners.push(() => {
      const members = family(state.codec), { share } = codecs[state.codec], other = partnerOf(state)?.partner_emotion;
      field.value = members[0];
      $("shares").hidden = members.length < 2;
      slider.max = members.length - 1;
      slider.value = members.indexOf(state.codec);
      const text = share === null ? "" : `${percent(1 - share)} ${data.items[state.item].emotion}, ${percent(share)} ${other ?? "partner"}`;
      $("share-value").textContent = text;
      slider.setAttribute("aria-valuetext", text);
    });
  }
  function mix(by) {
    const members = family(state.codec), next = members[members.indexOf(state.codec) + by];
    if (next !== undefined) select({ ...through(next), source: "point" });
  }
  function choices(id, values, text, change) {
    const field = $(id);
    if (!field) return;
    field.append(...values.map((value) => make("option", { value }, text(value))));
    field.addEventListener("change", () => change(field.value));
  }
  function start() {
    const grid = data.page === "codebooks";
    const speakers = [...new Set(data.items.map((item, at) => (grid ? lane(at) : item.speaker)))].sort();
    state.codec = family(0)[Math.floor(family(0).length / 2)];
    state.item = visible()[0] ?? 0;
    const [item, codec, point, condition, source] = location.hash.slice(1).split(".");
    const told = { item: Number(item), codec: Number(codec), point: Number(point), condition, source };
    if (SOURCES[source] && data.items[told.item] && codecs[told.codec] && (condition === "" || conditions.includes(condition))) Object.assign(state, told);
    if (grid) view.speaker = lane(state.item);
    const board = grid ? gridBoard() : rowBoard();
    choices("emotion", data.emotions, (value) => value, (value) => { view.emotion = value; board.build(); });
    choices("speaker", speakers, (value) => value, (value) => {
      const before = data.items[state.item];
      view.speaker = value;
      board.build();
      const twin = data.items.findIndex((item, at) => (grid ? lane(at) : item.speaker) === value && item.emotion === before.emotion);
      if (value && twin >= 0) select({ item: twin });
    });
    choices("sort", ["emotion", "speaker"], (value) => `by ${value}`, (value) => { view.sort = value; board.build(); });
    const measured = MEASURES.map(([name]) => name).filter((name) => clips.some((clip) => isNumber(clip[name])));
    choices("cells", ["predicted", ...measured.filter((name) => /^(similarity|bits|skip|f0_mean|word)/.test(name))], (name) => (name === "predicted" ? "what the classifier hears" : measure.get(name).label), (value) => { view.cells = value; $("legend").hidden = value !== "predicted"; board.build(); });
    treatments(grid);
    const summed = [...new Set(data.figures.map((row) => row[5]))].filter((name) => measure.has(name));
    choices("figure", summed, (name) => measure.get(name).label, showFigures);
    if (summed.includes("recall")) $("figure").value = "recall";
    $("all").hidden = !summed.length;
    if (summed.length) listeners.push(showFigures);
    if ($("speaker")) $("speaker").value = view.speaker;
    if (matchMedia("(min-width: 40rem)").matches) $("filters").open = true;
    deck();
    for (const name of ["A", "B", "X"]) $(`hear-${name}`).addEventListener("click", () => hear(name));
    for (const name of ["A", "B"]) $(`answer-${name}`).addEventListener("click", () => answer(name));
    $("begin").addEventListener("click", begin);
    $("save").addEventListener("click", save);
    $("again").addEventListener("click", openTest);
    $("test").addEventListener("click", openTest);
    $("help-open").addEventListener("click", () => $("help").showModal());
    for (const button of document.querySelectorAll("dialog .close")) button.addEventListener("click", () => button.closest("dialog").close());
    $("blind").addEventListener("close", () => { player.stop(); player.load(now().sound); });
    keys(board);
    select({});
  }
  window.emoquant = { player, state, select, clipOf, test, clips };
  start();
})();
