package runner_test

import (
	"fmt"

	"github.com/hindsight-go/hindsight/kernels/report"
	"github.com/hindsight-go/hindsight/kernels/runner"
)

func ExampleSummary() {
	rep := &report.Report{Folder: "/out/run", Notebooks: []report.Notebook{
		{Name: "02-diffgrad", Status: report.Passed, Claims: []report.Claim{{ID: "C1", Holds: true}, {ID: "C2"}}},
		{Name: "03-byzantine", Status: report.Skipped, Reason: "CIFAR-10 is not there"},
	}}
	rep.Summarize()
	fmt.Println(runner.Summary(rep))
	// Output:
	// 1 passed, 1 skipped
	// 1 of 2 claims hold, 1 fail
	// 03-byzantine was skipped: CIFAR-10 is not there
	// gallery /out/run/index.html, report /out/run/report.json, JUnit /out/run/junit.xml
}
