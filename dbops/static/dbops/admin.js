'use strict';
// A button beside each piece of code that copies it. Without it everything is there all the same.
document.addEventListener('DOMContentLoaded', () => {
  const said = document.createElement('p');
  said.setAttribute('role', 'status');
  said.className = 'visually-hidden';
  document.body.append(said);

  const select = (code) => {
    const range = document.createRange();
    range.selectNodeContents(code);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  };

  for (const figure of document.querySelectorAll('.dbops-code')) {
    const code = figure.querySelector('code');
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.setAttribute('aria-label', `Copy: ${figure.querySelector('figcaption').textContent}`);
    button.addEventListener('click', async () => {
      let result = 'Copied';
      try {
        await navigator.clipboard.writeText(code.textContent);
      } catch { // not allowed, or not over https: then it is selected, for the keyboard to copy
        select(code);
        result = 'Selected';
      }
      button.textContent = result;
      said.textContent = result;
      window.setTimeout(() => { button.textContent = 'Copy'; said.textContent = ''; }, 2000);
    });
    figure.prepend(button);
  }

  // On a small screen the filters would hide what they are about.
  if (window.matchMedia('(max-width: 767px)').matches) {
    for (const details of document.querySelectorAll('.dbops #changelist-filter details')) {
      details.open = false;
    }
  }
});
