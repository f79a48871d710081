package doctor_test

import (
	"fmt"

	"github.com/hindsight-go/hindsight/kernels/doctor"
)

func ExampleReport_Healthy() {
	var r doctor.Report // as doctor.Examine returns it
	r.Problems = []doctor.Problem{
		{What: "gopls is missing, so notebooks run without completion.", Cure: "Run 'go run ./kernels setup' where the network answers."},
	}
	fmt.Println(r.Healthy())
	// Output: true
}
