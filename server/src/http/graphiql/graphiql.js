// Starts GraphiQL, where its CDN could be reached; otherwise the line that stands in the page stays.

const { GraphiQL, React, ReactDOM, graphqlWs } = window;

if (GraphiQL && React && ReactDOM && graphqlWs) {
  const url = new URL('/graphql', location.href);
  const wsClient = graphqlWs.createClient({ url: url.href.replace(/^http/, 'ws') });
  const fetcher = GraphiQL.createFetcher({ url: url.href, wsClient });
  const root = ReactDOM.createRoot(document.getElementById('graphiql'));
  root.render(React.createElement(GraphiQL, { fetcher }));
}
