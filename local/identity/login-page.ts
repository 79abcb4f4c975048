import { localUsers } from './users.ts';

/** The page on which one picks the user to sign in as; there are no passwords. */
export function loginPage(action: string): string {
  const buttons = localUsers.map(
    ({ sub, role, name }) => `<button name="sub" value="${sub}"><b>${role}</b><span>${name}</span></button>`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign in</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 15vh auto; padding: 0 1rem; color: #16191f; }
button { display: flex; justify-content: space-between; width: 100%; margin: .5rem 0; padding: .75rem 1rem; font: inherit;
  background: #fff; border: 1px solid #687078; border-radius: 8px; cursor: pointer; }
button:hover, button:focus-visible { border-color: #0972d3; outline: 2px solid #0972d3; }
</style>
<h1>Sign in</h1>
<p>This sign-in runs on your machine alone. Choose whose rights to use:</p>
<form method="post" action="${action}">
${buttons.join('\n')}
</form>
</html>`;
}
