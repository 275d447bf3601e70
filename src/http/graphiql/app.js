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

  const ask = (params, options, accept, signal) => fetch("/graphql", {
    method: "POST",
    credentials: "omit",
    signal,
    headers: {
      "Content-Type": "application/json",
      Accept: accept,
      ...(options && options.headers),
    },
    body: JSON.stringify(params),
  });

  const subscribes = (params, options) => {
    const document = options && options.documentAST;
    return Boolean(document) && document.definitions.some((definition) =>
      definition.kind === "OperationDefinition" && definition.operation === "subscription" &&
      (!params.operationName || (definition.name && definition.name.value === params.operationName)));
  };

  // Server-sent events, read by hand: EventSource sends no headers, so no token.
  async function* read(params, options, signal) {
    const response = await ask(params, options, "text/event-stream", signal);
    if (!(response.headers.get("Content-Type") || "").startsWith("text/event-stream")) {
      yield await response.json();
      return;
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const lines = text.slice(0, end).split("\n");
        text = text.slice(end + 2);
        if (lines[0] === "event: complete") return;
        if (lines[0] === "event: next") yield JSON.parse(lines[1].slice("data: ".length));
      }
    }
  }

  // Stopping ends the answer at once: a generator that waits for an event would hear of it at the next one.
  async function* events(params, options, stop) {
    try {
      yield* read(params, options, stop.signal);
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    } finally {
      stop.abort();
    }
  }

  const stream = (params, options) => {
    const stop = new AbortController();
    const iterator = events(params, options, stop);
    return {
      [Symbol.asyncIterator]() { return this; },
      next: () => iterator.next(),
      return: (value) => { stop.abort(); return iterator.return(value); },
      throw: (error) => { stop.abort(); return iterator.throw(error); },
    };
  };

  const fetcher = (params, options) => subscribes(params, options)
    ? stream(params, options)
    : ask(params, options, "application/graphql-response+json, application/json;q=0.9")
      .then((response) => response.json());

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
