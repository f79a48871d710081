// Package corpus streams large collections of text into tokens for language models: shards are found or downloaded one
// after the other, decoded without holding one in memory, shuffled by a seed, tokenized on several processors, and packed
// into windows.
//
//	| corpus        | shards                                             | tokens  |
//	|---------------|----------------------------------------------------|---------|
//	| [C4]          | 1024 of gzipped JSON lines, 8 more held out         | [T5]    |
//	| [OpenWebText] | 79 Parquet files, one more held out                 | [GPT2]  |
//
// [Windows] puts a corpus and a [Tokenizer] together. It is a [data.Sequences], which nets.LanguageTrainer trains on.
//
// Shards are looked up and downloaded as package data does it, into folders named c4 and openwebtext: 0.3 GB each, which
// stay. Their addresses name a commit of the hub's, and each is checked when it has come: see [data.LargeFile.Find]. What
// you put there yourself is checked as it is read: gzip's sums and Parquet's structure are part of the files.
package corpus
