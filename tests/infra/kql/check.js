// Reads a JSON list of Kusto queries and writes what is wrong with each, as a list of lists of sentences.
// Tables as https://learn.microsoft.com/azure/azure-monitor/reference/tables-index has them, with the columns that we use.
const fs = require("fs");
const path = require("path");
const vm = require("vm");

const TABLES = {
  customMetrics:
    "(timestamp: datetime, name: string, value: real, valueCount: int, valueSum: real, customDimensions: dynamic)",
  dependencies: "(timestamp: datetime, name: string, duration: real, customDimensions: dynamic)",
};

// Scripts for browsers: they are not modules, but declare what is global.
for (const script of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) {
  const file = path.join(__dirname, "node_modules/@kusto/language-service-next", script);
  vm.runInThisContext(fs.readFileSync(file, "utf8"), { filename: file });
}
const { GlobalState, KustoCode, Symbols } = Kusto.Language;
const tables = Object.entries(TABLES).map(([name, columns]) => Symbols.TableSymbol.From(columns).WithName(name));
const component = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("component", tables));

const faults = JSON.parse(fs.readFileSync(0, "utf8")).map((query) => {
  const found = KustoCode.ParseAndAnalyze(query, component).GetDiagnostics();
  return Array.from({ length: found.Count }, (_, i) => found.getItem(i).Message);
});
process.stdout.write(JSON.stringify(faults));
