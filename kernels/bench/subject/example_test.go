package main

import (
	"fmt"
	"strings"
)

// The first word names the subject.
func Example() {
	problem, known, _ := strings.Cut(serve([]string{"sorting"}).Error(), ", known: ")
	fmt.Println(problem)
	fmt.Println(strings.Contains(known, "quadratic"))
	// Output:
	// subject: "sorting" is unknown
	// true
}
