// A click on a figure shows it at the full size of the screen. It is never smaller there than
// its labels are meant to be read: on a phone a wide figure scrolls. Widgets keep their clicks.
addEventListener("DOMContentLoaded", () => {
  const dialog = document.createElement("dialog");
  dialog.className = "cl-enlarged";
  dialog.setAttribute("aria-label", "Figure");
  dialog.innerHTML = '<button type="button">Close</button>';
  dialog.addEventListener("click", () => dialog.close());
  document.body.append(dialog);

  for (const image of document.querySelectorAll("article figure img")) {
    const link = image.closest("a");
    if (image.closest(".cl-widget") || (link && link.href !== image.src)) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "cl-enlarge";
    button.title = "Enlarge";
    button.setAttribute("aria-haspopup", "dialog");
    button.addEventListener("click", () => {
      const large = new Image();
      large.src = image.src;
      large.alt = image.alt;
      large.style.setProperty("--width", image.style.width || `${image.naturalWidth}px`);
      large.style.setProperty("--ratio", image.width / image.height);
      dialog.replaceChildren(dialog.firstChild, large);
      dialog.showModal();
    });
    (link ?? image).replaceWith(button);
    button.append(image);
  }
});
