(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const form = document.getElementById("sizes");
  if (!data.steps || !form) return;
  document.documentElement.classList.add("js");
  const said = document.getElementById("said");
  const cells = [...document.querySelectorAll("[data-s]")].map((e) => [e, e.dataset.s.split(",").map(Number)]);
  const markers = [...document.querySelectorAll(".you")];
  const run = (at) => {
    const v = [];
    for (const s of data.steps) {
      if (typeof s === "number") v.push(s);
      else if (typeof s === "string") v.push(at[s] ?? NaN);
      else if (s[0] === "+") {
        let sum = s[1];
        for (let i = 2; i < s.length; i += 2) sum += s[i] * v[s[i + 1]];
        v.push(sum);
      } else if (s[0] === "/") v.push(Math.floor(v[s[1]] / v[s[2]]));
      else if (s[0] === "*") v.push(s.slice(1).reduce((p, i) => p * v[i], 1));
      else v.push(Math[s[0]](...s.slice(1).map((i) => v[i])));
    }
    return v;
  };
  const inside = (set, n) => set.exceptions.includes(n) || (n >= set.from && set.rests.includes(n % set.modulus));
  const nearest = (set, n, by) => {
    for (let m = n, tries = 0; m >= 1 && tries < 100000; m += by, tries++) if (inside(set, m)) return m;
    return null;
  };
  const holds = (c, v) => c.any.some(([kind, i]) => (kind === "==" ? v[i] === 0 : v[i] >= 0));
  const show = () => {
    const at = { ...data.at };
    let valid = true;
    for (const field of form.querySelectorAll("input")) {
      const n = field.valueAsNumber;
      if (Number.isInteger(n) && n >= 1 && n <= 1048576) at[field.name] = n;
      else valid = false;
    }
    if (!valid) { said.textContent = "Sizes are whole numbers from 1 on."; return; }
    const v = run(at);
    for (const [cell, steps] of cells) cell.textContent = steps.map((i) => v[i]).join("×");
    for (const marker of markers) {
      const n = at[marker.dataset.letter];
      const x = n <= marker.dataset.strip ? ((n - 0.5) * 960) / marker.dataset.strip : -9;
      marker.setAttribute("x1", x); marker.setAttribute("x2", x);
    }
    for (const old of document.querySelectorAll(".fails")) old.classList.remove("fails");
    const failing = data.conditions.find((c) => !holds(c, v));
    const image = data.letters.map((l) => at[l]).join("×");
    if (!failing) {
      const out = data.outputs.map(([name, steps]) => `${name} ${steps.map((i) => v[i]).join("×")}`).join(", ");
      said.className = "good";
      said.textContent = `${image} ${data.whole ? "runs" : "runs, as far as is known"}${out ? ": " + out : ""}.`;
      return;
    }
    document.querySelector(`[data-box="${failing.box}"]`)?.classList.add("fails");
    document.getElementById("layers").tBodies[0].rows[failing.row]?.classList.add("fails");
    let advice = "";
    if (!data.tied) {
      const [up, down] = [1, -1].map((by) => data.letters.map((l) => nearest(data.sets[l], at[l], by)));
      if (!up.includes(null)) advice += ` Pad to ${up.join("×")}`;
      if (!down.includes(null)) advice += `${advice ? ", or crop" : " Crop"} to ${down.join("×")}`;
      if (advice) advice += ".";
    }
    said.className = "bad";
    said.textContent = `${image} does not run: '${failing.layer}' needs ${failing.text}.${advice}`;
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => (d.open = true)));
  show();
})();
