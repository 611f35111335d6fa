package expression

import (
	"fmt"
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
)

// The variables of a condition.
const (
	// Value and Canary are the value of canary, Stable that of stable.
	Value  = "value"
	Canary = "canary"
	Stable = "stable"
	// Delta is canary minus stable, Ratio canary divided by stable.
	Delta = "delta"
	Ratio = "ratio"
	// Samples are the last values of canary, the present one last.
	Samples = "samples"
)

// ConditionVariables are all of them.
var ConditionVariables = []string{Value, Canary, Stable, Delta, Ratio, Samples}

// maxCost bounds the evaluation of a condition, in CEL's units of about one
// operation.
const maxCost = 100_000

// Condition is a condition in CEL, ready to be evaluated. It is safe for use by
// many goroutines.
type Condition struct {
	program cel.Program
	needs   []string
}

// CompileCondition reads a condition. The error says where it is wrong.
func CompileCondition(text string) (*Condition, error) {
	env, err := cel.NewEnv(
		cel.Variable(Value, cel.DoubleType), cel.Variable(Canary, cel.DoubleType), cel.Variable(Stable, cel.DoubleType),
		cel.Variable(Delta, cel.DoubleType), cel.Variable(Ratio, cel.DoubleType), cel.Variable(Samples, cel.ListType(cel.DoubleType)),
		cel.CrossTypeNumericComparisons(true),
	)
	if err != nil {
		return nil, fmt.Errorf("preparing CEL: %w", err)
	}
	compiled, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, fmt.Errorf("not valid CEL: %w", issues.Err())
	}
	if compiled.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("the condition is a %s: it has to be true or false, such as value < 0.01", compiled.OutputType())
	}
	program, err := env.Program(compiled, cel.CostLimit(maxCost))
	if err != nil {
		return nil, fmt.Errorf("preparing the condition: %w", err)
	}
	c := &Condition{program: program}
	ast.PreOrderVisit(compiled.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.IdentKind && !slices.Contains(c.needs, e.AsIdent()) {
			c.needs = append(c.needs, e.AsIdent())
		}
	}))
	return c, nil
}

// NeedsStable says whether the condition looks at the stable side.
func (c *Condition) NeedsStable() bool {
	return slices.Contains(c.needs, Stable) || slices.Contains(c.needs, Delta) || slices.Contains(c.needs, Ratio)
}

// Holds evaluates the condition for the variables that are known; it is an error
// if it needs another one.
func (c *Condition) Holds(values map[string]any) (bool, error) {
	out, _, err := c.program.Eval(values)
	if err != nil {
		return false, fmt.Errorf("evaluating the condition: %w", err)
	}
	holds, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("evaluating the condition: the result is a %s, not true or false", out.Type().TypeName())
	}
	return holds, nil
}
