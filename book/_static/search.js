// Excerpts under the results of the search. Sphinx fetches a page and cuts its excerpt out;
// here the address itself goes to the function that cuts, which finds the page's sections in
// search-text.js (replication/book/search.py): this also works where pages are files.
window.fetch = async (address) => ({ text: async () => address });

const AROUND = 120; // characters on each side of the first hit, to whole words

// Where a word of the text begins with this one; -1 if none does.
const begins = (word, flags) => new RegExp(`(?<!\\p{L})${word}`, flags);
const find = (text, word) => text.search(begins(word, "iu"));

function excerpt(text, words) {
  const hits = words.map((word) => find(text, word)).filter((at) => at >= 0);
  const hit = Math.min(...hits, text.length);
  const start = hit < text.length && hit > AROUND ? text.indexOf(" ", hit - AROUND) + 1 : 0;
  const rest = text.slice(start);
  if (rest.length <= 2 * AROUND) return (start ? "… " : "") + rest;
  const end = rest.lastIndexOf(" ", 2 * AROUND);
  return `${start ? "… " : ""}${rest.slice(0, end)} …`;
}

// The section that holds most of the words: its title, as a link, and the text around them.
Search.makeSearchSummary = (address, stems, anchor) => {
  const page = address.slice(document.documentElement.dataset.content_root.length);
  const query = new URLSearchParams(location.search).get("q").toLowerCase();
  const telling = splitQuery(query).filter((word) => !stopwords.includes(word));
  const words = [...new Set([...telling, ...stems])];
  // More of the words before more of their occurrences.
  const count = ([, title, text]) => words.reduce((sum, word) => {
    const hits = `${title} ${text}`.match(begins(word, "giu"))?.length ?? 0;
    return sum + (hits && 1000 + hits);
  }, 0);
  const sections = SEARCH_TEXT[page] ?? [];
  const named = sections.filter(([id]) => `#${id}` === anchor);
  const [id, title, text] = (named.length ? named : sections).reduce(
    (best, next) => (count(next) > count(best) ? next : best), ["", "", ""]);

  const summary = document.createElement("p");
  summary.className = "context";
  if (!named.length && id !== sections[0]?.[0]) {
    const link = summary.appendChild(document.createElement("a"));
    link.href = `${page}#${id}`;
    link.textContent = title;
    summary.append(": ");
  }
  summary.append(excerpt(text, words));
  return summary;
};
