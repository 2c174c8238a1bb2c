package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/infra/config"
	"github.com/rekey-aws/rekey/infra/config/cost"
)

// CostCommand is the command line of rekey cost.
type CostCommand struct {
	File           string `arg:"" optional:"" help:"The deployment; ${default} if not given." default:"rekey.yaml" placeholder:"FILE"`
	ReadsPerDay    int    `help:"How often a day each secret is read, by all its consumers together; 288 if not given: every five minutes." placeholder:"N"`
	EventsPerMonth int    `help:"How many management events a month the account's trail records; 500,000 if not given." placeholder:"N"`
	JSON           bool   `name:"json" help:"Print a JSON object instead of a table."`
}

// Help is the text below the usage of rekey cost --help.
func (CostCommand) Help() string {
	return `The file is checked first: what is wrong with it is told, all at once. Prices are a dated table of list prices; nothing is asked of AWS.`
}

// Validate refuses a command line that was meant otherwise.
func (c *CostCommand) Validate() error {
	if c.ReadsPerDay < 0 || c.EventsPerMonth < 0 {
		return errors.New("--reads-per-day and --events-per-month are numbers of 1 and more")
	}
	return nil
}

// Run prices the file.
func (c *CostCommand) Run(stdout io.Writer, screen *terminal.Terminal) error {
	f, err := config.Load(c.File)
	if err != nil {
		return err
	}
	estimate := cost.Of(f, cost.Usage{ReadsPerDay: c.ReadsPerDay, EventsPerMonth: c.EventsPerMonth})
	if c.JSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(estimate)
	}
	for _, line := range table(f, estimate) {
		screen.Println(line)
	}
	return screen.Err()
}

// table shows the dear lines one by one, and the cents together.
func table(f *config.File, e cost.Estimate) []string {
	lines := []string{fmt.Sprintf("%s %s: about %s a month in %s", f.Name, f.Environment, money(e.Total), e.Region), ""}
	sorted := slices.Clone(e.Lines)
	slices.SortStableFunc(sorted, func(a, b cost.Line) int { return int(math.Copysign(1, b.Monthly-a.Monthly)) })
	small, others := 0.0, 0
	for _, l := range sorted {
		if l.Monthly < 0.05 {
			small, others = small+l.Monthly, others+1
			continue
		}
		lines = append(lines, fmt.Sprintf("  %-26s %12s %-16s %10s", l.Item, number(l.Quantity), plural(l.Unit, l.Quantity), money(l.Monthly)))
	}
	if others > 0 {
		lines = append(lines, fmt.Sprintf("  %-26s %12s %-16s %10s", "under 5 cents each", strconv.Itoa(others), plural("line", float64(others)), money(small)))
	}
	lines = append(lines, fmt.Sprintf("  %-26s %12s %-16s %10s", "together", "", "", money(e.Total)))
	if len(e.Levers) > 0 {
		lines = append(lines, "", "What would save most, each by itself")
		for _, l := range e.Levers {
			lines = append(lines, fmt.Sprintf("  %9s  %s", money(l.Saves), l.Change))
		}
	}
	lines = append(lines, "", "Prices of "+e.AsOf+". Assumed:")
	for _, a := range e.Assumptions {
		lines = append(lines, "  "+a)
	}
	return lines
}

func money(dollars float64) string { return "$" + strconv.FormatFloat(dollars, 'f', 2, 64) }

// number has no more digits than matter, and commas.
func number(n float64) string {
	if n < 10 && n != math.Trunc(n) {
		return strconv.FormatFloat(n, 'f', 2, 64)
	}
	digits := strconv.FormatFloat(math.Round(n), 'f', 0, 64)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

func plural(unit string, n float64) string {
	if n == 1 || strings.HasSuffix(unit, "GB") {
		return unit
	}
	return unit + "s"
}
