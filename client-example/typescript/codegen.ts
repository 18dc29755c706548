// How `npm run codegen` turns the schema and the operations, the very files that the Rust client is compiled from, into
// `src/generated/operations.ts`: one typed document for each operation. Nothing generated is committed.

import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "../../schema.graphql",
  documents: "../client/operations/*.graphql",
  errorsOnly: true,
  generates: {
    "src/generated/operations.ts": {
      plugins: ["typescript", "typescript-operations", "typed-document-node"],
      config: {
        // Each enum gets a value that no service sends, so that a `switch` without a `default` does not compile: values
        // that are newer than the client will come.
        enumsAsTypes: true,
        futureProofEnums: true,
        scalars: { DateTime: "string", ID: "string" },
        strictScalars: true,
        // Every field of an answer is there, be it null; what a person need not say may be left out.
        avoidOptionals: { field: true },
        immutableTypes: true,
        onlyOperationTypes: true,
        skipTypename: true,
        useTypeImports: true,
      },
    },
  },
};

export default config;
