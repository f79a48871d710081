package junit_test

import (
	"encoding/xml"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/junit"
)

func sample() junit.Report {
	return junit.Report{Name: "all", Seconds: 2, Suites: []junit.Suite{
		{Name: "one", Seconds: 1.5, Cases: []junit.Case{
			{Class: "a", Name: "fine", Seconds: 0.25},
			{Class: "a", Name: "wrong <b>", Failure: &junit.Outcome{Message: `want "1" & got 2`, Text: "line 1\nline 2"}},
			{Class: "a", Name: "broken", Error: &junit.Outcome{Message: "no disk"}},
		}},
		{Name: "two", Cases: []junit.Case{{Class: "b", Name: "elsewhere", Skipped: &junit.Outcome{Message: "no GPU"}}}},
	}}
}

func ExampleReport_Counts() {
	fmt.Println(sample().Counts())
	// Output: 1 passed, 2 failed, 1 skipped
}

func TestXML(t *testing.T) {
	raw, err := sample().XML()
	require.NoError(t, err)
	var back struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Skipped  int `xml:"skipped,attr"`
		Suites   []struct {
			Time  string `xml:"time,attr"`
			Cases []struct {
				Name    string         `xml:"name,attr"`
				Time    string         `xml:"time,attr"`
				Failure *junit.Outcome `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	require.NoError(t, xml.Unmarshal(raw, &back), "%s", raw)
	require.Equal(t, [4]int{4, 1, 1, 1}, [4]int{back.Tests, back.Failures, back.Errors, back.Skipped})
	require.Equal(t, "1.500", back.Suites[0].Time)
	require.Equal(t, "0.250", back.Suites[0].Cases[0].Time)
	require.Empty(t, back.Suites[0].Cases[1].Time)
	require.Equal(t, "wrong <b>", back.Suites[0].Cases[1].Name)
	require.Equal(t, "want \"1\" & got 2", back.Suites[0].Cases[1].Failure.Message)
	require.Equal(t, "line 1\nline 2", back.Suites[0].Cases[1].Failure.Text)
}
