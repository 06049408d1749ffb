// Evaluates a run initialization policy. Reads one JSON request from standard input and writes one JSON answer to standard
// output: see launcher/policy/engine.ts, which starts this program for each question and ends it when it takes too long.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/print"
)

type request struct {
	// Name of the policy's file, for messages.
	File   string `json:"file"`
	Policy string `json:"policy"`
	// Absent: the policy is only checked.
	Input json.RawMessage `json:"input"`
}

type fault struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

type answer struct {
	// Why the policy cannot be used; then nothing else is there.
	Faults  []fault  `json:"faults"`
	Denials []string `json:"denials"`
	Printed []string `json:"printed"`
}

// What reaches out of the policy: the network, and the settings of this process.
var removed = map[string]bool{"http.send": true, "net.lookup_ip_addr": true, "opa.runtime": true}

func main() {
	go limitMemory()
	var asked request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fmt.Fprintln(os.Stderr, "the request cannot be read:", err)
		os.Exit(2)
	}
	result, err := evaluate(asked)
	if err != nil {
		result = answer{Faults: faultsOf(asked.File, err)}
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		os.Exit(2)
	}
}

func evaluate(asked request) (answer, error) {
	compiler, err := compile(asked.File, asked.Policy)
	if err != nil || asked.Input == nil {
		return answer{}, err
	}
	input, err := ast.ValueFromReader(bytes.NewReader(asked.Input))
	if err != nil {
		return answer{}, err
	}
	store := inmem.New()
	transaction, err := store.NewTransaction(context.Background())
	if err != nil {
		return answer{}, err
	}
	printed := &printer{}
	// The interpreter itself: the package around it also loads bundles and makes WebAssembly, and weighs a fifth more.
	results, err := topdown.NewQuery(ast.MustParseBody("denied = data.spacelift.deny")).
		WithCompiler(compiler).
		WithStore(store).
		WithTransaction(transaction).
		WithInput(ast.NewTerm(input)).
		WithPrintHook(printed).
		WithTime(time.Now()).
		Run(context.Background())
	if err != nil {
		return answer{}, err
	}
	denials, err := messages(results)
	return answer{Denials: denials, Printed: printed.lines}, err
}

// Compiles as Rego 0, in which most policies are written, and as Rego 1 when that fails. A policy that neither accepts is
// judged as what it looks like.
func compile(file, policy string) (*ast.Compiler, error) {
	compiler, err := compileAs(ast.RegoV0, file, policy)
	if err == nil {
		return compiler, nil
	}
	compiler, newer := compileAs(ast.RegoV1, file, policy)
	if newer == nil {
		return compiler, nil
	}
	if strings.Contains(policy, " contains ") || strings.Contains(policy, " if ") {
		return nil, newer
	}
	return nil, err
}

func compileAs(version ast.RegoVersion, file, policy string) (*ast.Compiler, error) {
	module, err := ast.ParseModuleWithOpts(file, policy, ast.ParserOptions{RegoVersion: version})
	if err != nil {
		return nil, err
	}
	if got := module.Package.Path.String(); got != "data.spacelift" {
		return nil, located(module.Package.Location, fmt.Sprintf("expected package spacelift, got package %s", strings.TrimPrefix(got, "data.")))
	}
	if err := checkDeny(module); err != nil {
		return nil, err
	}
	capabilities := ast.CapabilitiesForThisVersion()
	kept := capabilities.Builtins[:0]
	for _, builtin := range capabilities.Builtins {
		if !removed[builtin.Name] {
			kept = append(kept, builtin)
		}
	}
	capabilities.Builtins = kept
	modules := map[string]*ast.Module{file: module}
	if shortcuts := shortcutsFor(module); shortcuts != nil {
		modules["shortcuts of the launcher"] = shortcuts
	}
	compiler := ast.NewCompiler().WithCapabilities(capabilities).WithEnablePrintStatements(true).WithDefaultRegoVersion(version)
	compiler.Compile(modules)
	if compiler.Failed() {
		return nil, compiler.Errors
	}
	return compiler, nil
}

// Names by which policies may reach parts of the input, as on the server that they come from. A rule of the policy's own
// comes first.
var shortcuts = map[string]string{
	"commit":         "input.commit",
	"run":            "input.run",
	"runtime_config": "input.run.runtime_config",
	"stack":          "input.stack",
}

func shortcutsFor(module *ast.Module) *ast.Module {
	own := map[string]bool{}
	for _, rule := range module.Rules {
		own[rule.Head.Ref()[0].String()] = true
		own[strings.Trim(rule.Head.Ref()[0].String(), `"`)] = true
		own[rule.Head.Name.String()] = true
	}
	for _, one := range module.Imports {
		own[one.Name().String()] = true
	}
	text := "package spacelift\n"
	for name, path := range shortcuts {
		if !own[name] {
			text += name + " := " + path + "\n"
		}
	}
	parsed, err := ast.ParseModuleWithOpts("shortcuts", text, ast.ParserOptions{RegoVersion: ast.RegoV0})
	if err != nil {
		return nil
	}
	return parsed
}

// A policy without a rule that can deny would be a slip of the pen that protects nothing.
func checkDeny(module *ast.Module) error {
	found := false
	for _, rule := range module.Rules {
		ref := rule.Head.Ref()
		if !ref[0].Equal(ast.VarTerm("deny")) {
			continue
		}
		found = true
		// What stands below deny, as deny.images contains message, would make an object of it.
		if len(ref) > 1 || rule.Head.RuleKind() != ast.MultiValue {
			return located(rule.Location, "expected deny to be a set of messages: deny[message] { … }, or deny contains message if { … }")
		}
	}
	if !found {
		return located(module.Package.Location, "expected a rule deny: deny[message] { … }, or deny contains message if { … }")
	}
	return nil
}

// A deny that cannot be read must not count as one that allows.
func messages(results topdown.QueryResultSet) ([]string, error) {
	if len(results) != 1 {
		return nil, errors.New("expected deny to be a set of messages; it is not defined")
	}
	denied, ok := results[0][ast.Var("denied")].Value.(ast.Set)
	if !ok {
		return nil, fmt.Errorf("expected deny to be a set of messages, got %s", results[0][ast.Var("denied")])
	}
	found := []string{}
	denied.Foreach(func(term *ast.Term) {
		if text, ok := term.Value.(ast.String); ok {
			found = append(found, string(text))
		} else {
			found = append(found, term.String())
		}
	})
	sort.Strings(found)
	return found, nil
}

type printer struct{ lines []string }

// Print keeps what a policy prints, within bounds.
func (p *printer) Print(_ print.Context, text string) error {
	if len(p.lines) < 1000 {
		p.lines = append(p.lines, text[:min(len(text), 8192)])
	}
	return nil
}

func located(at *ast.Location, message string) error {
	return ast.Errors{ast.NewError(ast.CompileErr, at, "%s", message)}
}

func faultsOf(file string, err error) []fault {
	var several ast.Errors
	if errors.As(err, &several) {
		faults := []fault{}
		for _, one := range several {
			at := fault{File: file, Message: one.Message}
			if one.Location != nil {
				at.Line, at.Column = one.Location.Row, one.Location.Col
			}
			faults = append(faults, at)
		}
		return faults
	}
	return []fault{{File: file, Message: err.Error()}}
}
