// Starts GraphiQL against this server and, in demo mode, lets the visitor choose whom to sign in as.
// Nothing is kept in the browser: queries may name people, and headers hold tokens.
"use strict";
(() => {
  const root = ReactDOM.createRoot(document.getElementById("graphiql"));

  const memory = () => {
    const items = new Map();
    return {
      getItem: (key) => (items.has(key) ? items.get(key) : null),
      setItem: (key, value) => items.set(key, value),
      removeItem: (key) => items.delete(key),
      clear: () => items.clear(),
      get length() { return items.size; },
    };
  };

  const fetcher = async (params, options) => {
    const response = await fetch("/graphql", {
      method: "POST",
      credentials: "omit",
      headers: {
        "Content-Type": "application/json",
        Accept: "application/graphql-response+json, application/json;q=0.9",
        ...(options && options.headers),
      },
      body: JSON.stringify(params),
    });
    return response.json();
  };

  const show = (key, persona) => {
    root.render(React.createElement(GraphiQL, {
      key,
      fetcher,
      storage: memory(),
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false,
      defaultEditorToolsVisibility: "variables",
      query: persona ? persona.query : "{\n  __typename\n}\n",
      variables: persona ? JSON.stringify(persona.variables || {}, null, 2) : "{}",
      headers: JSON.stringify(persona ? { Authorization: "Bearer " + persona.token } : {}, null, 2),
    }));
  };

  const offer = (personas) => {
    const select = document.getElementById("persona");
    personas.forEach((persona, index) => {
      select.add(new Option(persona.role + " · " + persona.name, String(index)));
    });
    select.addEventListener("change", () => show("persona-" + select.value, personas[Number(select.value)]));
    document.getElementById("personas").hidden = false;
    show("persona-0", personas[0]);
  };

  fetch("/graphiql/personas.json", { credentials: "omit" })
    .then((response) => (response.ok ? response.json() : []))
    .catch(() => [])
    .then((personas) => (personas.length ? offer(personas) : show("visitor", null)));
})();
