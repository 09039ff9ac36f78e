// The page "Colorize a photograph". It loads the network when a reader asks
// for it, gives photographs to a worker, and shows what comes back.

const HERE = document.currentScript.src;

function work() {
  // What the worker does: take the weights once, then photographs.
  let colorize;
  const report = (words) => postMessage({ words });
  onmessage = async ({ data: { weights, colours, size, file, answer } }) => {
    try {
      if (weights) colorize = pipeline(network(weights, colours), size, report);
      else postMessage(await colorize(file, answer));
    } catch (error) {
      postMessage({ problem: error.message });
    }
  };
}

function startWorker() {
  // From the text of functions: a page opened as a file has no other way.
  const text = `${network}\n${pipeline}\n${work}\nwork();`;
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  return new Worker(url);
}

function script(url) {
  // Load a script, and forget it.
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = url;
    element.onload = resolve;
    element.onerror = () => reject(Error(`${url} is missing.`));
    document.head.append(element);
    element.remove();
  });
}

function decoded(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

async function loadWeights(progress) {
  // The weights file, from its parts.
  const bytes = new Uint8Array(COLORIZE.bytes);
  let at = 0;
  for (let part = 1; part <= COLORIZE.parts; part++) {
    await script(new URL(`colorize/${part}.js`, HERE));
    const more = decoded(COLORIZE.part);
    bytes.set(more, at);
    at += more.length;
    progress(part / COLORIZE.parts);
  }
  COLORIZE.part = null;
  return bytes.buffer;
}

function colorizePage(root) {
  const find = (selector) => root.querySelector(selector);
  const load = find(".load"), choose = find(".choose"), input = find("[type=file]");
  const message = find("output"), bar = find("progress");
  const result = find(".cl-compare"), save = find(".save");
  const [before, after] = find("template").content.querySelectorAll("img");
  let worker, file, busy = false, next = null;
  root.classList.add("on");
  load.textContent =
    `Load the network (${Math.round(COLORIZE.download / 1e6)} MB)`;

  function say(words, share) {
    // Words, and how far it is: a share of 1, or null if nobody knows.
    message.textContent = words;
    bar.hidden = share === undefined;
    if (share === null) bar.removeAttribute("value");
    else bar.value = share ?? 0;
  }

  async function begin() {
    load.disabled = true;
    try {
      const weights = await loadWeights((share) =>
        say(`Loading the network: ${Math.round(100 * share)} % ...`, share));
      worker = startWorker();
      worker.onmessage = ({ data }) => receive(data);
      worker.onerror = () => problem("This browser cannot run the network.");
      const { colours, size } = COLORIZE;
      worker.postMessage({ weights, colours, size }, [weights]);
    } catch (error) {
      load.disabled = false;
      return problem(`The network cannot be loaded: ${error.message}`);
    }
    load.hidden = true;
    choose.hidden = false;
    // A reader who has moved on stays there.
    if ([load, document.body].includes(document.activeElement))
      input.focus({ preventScroll: true });
    say("The network is here. Choose a photograph.");
  }

  function colorize() {
    // The worker has one photograph at a time, since it cannot be
    // interrupted. Of what is chosen meanwhile, only the last comes next.
    const answer = COLORIZE.answers[find("[name=answer]:checked").value];
    next = { file, answer };
    if (busy) say("Finishing the earlier photograph first ...", null);
    else start();
  }

  function start() {
    say("Reading the photograph ...", null);
    worker.postMessage(next);
    busy = true;
    next = null;
  }

  function open(chosen) {
    if (!worker) return say("Load the network first.");
    if (!chosen) return say("That is no file: choose a photograph.");
    file = chosen;
    colorize();
  }

  function receive(data) {
    if (!data.words) busy = false;
    if (next) {  // what came is of an earlier choice
      if (!busy) start();
    } else if (data.words) say(data.words, null);
    else if (data.problem) problem(data.problem);
    else show(data);
  }

  function problem(words) {
    result.hidden = save.hidden = true;
    say(words);
  }

  function show(data) {
    for (const image of [before, after]) URL.revokeObjectURL(image.src);
    for (const [image, blob] of [[before, data.before], [after, data.after]]) {
      image.src = URL.createObjectURL(blob);
      image.width = data.width;
      image.height = data.height;
    }
    if (!before.isConnected) {
      find(".pictures").append(...find("template").content.children);
      compare(result);
    }
    const ending = data.after.type === "image/png" ? "png" : "jpg";
    save.href = after.src;
    save.download = `${file.name.replace(/\.[^.]*$/, "")}-colorized.${ending}`;
    save.textContent = `Save ${save.download}`;
    // As wide as lets the whole of it be seen.
    result.style.maxWidth = `${(75 * data.width) / data.height}vh`;
    result.hidden = save.hidden = false;
    say(`${file.name} is colorized: ${data.width} x ${data.height} pixels.`);
  }

  for (const { name, alt, jpeg } of COLORIZE.examples) {
    const button = document.createElement("button"), image = new Image();
    image.src = `data:image/jpeg;base64,${jpeg}`;
    image.alt = alt;
    button.type = "button";
    button.append(image);
    button.onclick = () => open(new File([decoded(jpeg)], name));
    find(".examples").append(button);
  }
  load.onclick = begin;
  // Without this, the same file again would be no change.
  input.onclick = () => { input.value = ""; };
  input.onchange = () => open(input.files[0]);
  for (const choice of root.querySelectorAll("[name=answer]"))
    choice.onchange = () => file && colorize();
  // A browser would leave the page for a file that is dropped beside the box.
  window.ondragover = window.ondrop = (event) => event.preventDefault();
  root.ondrop = (event) => open(event.dataTransfer.files[0]);
}

colorizePage(document.getElementById("colorize"));
