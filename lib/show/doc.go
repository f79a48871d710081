// Package show puts results before people: figures, tables, progress, controls that redraw a figure, and a paper's
// verdict. In a notebook they are its outputs; elsewhere the same calls print text and write files to the folder
// $HINDSIGHT_OUT, by default "out".
//
// HINDSIGHT_HEADLESS=1, which the runner sets, says that nobody is there to move a slider: [Interactive] then draws its
// default state once, and [Progress] is silent.
package show
