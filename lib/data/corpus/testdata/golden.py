"""Makes golden.json.gz and small.model.gz: python golden.py TEXT SPIECE ENCODER_JSON VOCAB_BPE

With tiktoken 0.14.0 and sentencepiece 0.2.3. TEXT is some English text to train the small unigram model on (Go's
specification, doc/go_spec.html of Go 1.26), SPIECE is T5's spiece.model, ENCODER_JSON and VOCAB_BPE are GPT-2's files.
"""
import gzip
import io
import json
import random
import sys

import sentencepiece
import tiktoken
from tiktoken.load import data_gym_to_mergeable_bpe_ranks

text, spiece, encoder, vocab = sys.argv[1:]


def write(name, content):
    with open(name, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write(content)


model = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(open(text, encoding="utf8").read().splitlines()), model_writer=model, vocab_size=700,
    model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, normalization_rule_name="nmt_nfkc", minloglevel=2)
write("small.model.gz", model.getvalue())
small = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
t5 = sentencepiece.SentencePieceProcessor(model_file=spiece)
gpt2 = tiktoken.Encoding("gpt2", pat_str=r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s""",
                         mergeable_ranks=data_gym_to_mergeable_bpe_ranks(vocab, encoder), special_tokens={"<|endoftext|>": 50256})

texts = [
    "", " ", "\n", "a", " a", "a ", "Hello, world!", "The quick brown fox jumps over the lazy dog.",
    "  two  spaces\tand\na\u00a0hard one \r\n", "<|endoftext|> </s> <pad> <unk> ▁ ▁▁x", "don't you've we'll I'd",
    "naïve café — “quotes” … №5 ½ ﬁne ①②③ Ⅷ ｆｕｌｌ ㎏ ℌ", "e\u0301 and é, Å Å Å", "日本語のテキスト 中文 한국어 ไทย हिन्दी العربية",
    "🙂 🇩🇪 👩‍👩‍👧‍👦 \u200b zero\u200dwidth \ufeff bom", "\x00\x01\x7f\x85 control", "x = f(a[i], *b) // 0x7FFF_FFFF + 1e-9;",
    "internationalization antidisestablishmentarianism " * 3, "a" * 300, "\n\n\n   \n  indented\n\n", "1234567890 3.14159 1,000,000",
]
rng = random.Random(7)
kinds = ["abcdefghijklmnopqrstuvwxyz     ", "ABC xyz .,;:!?'\"-()", "\t\n\r  \u00a0\u2003\u3000a", "".join(chr(c) for c in range(0xA0, 0x250)),
         "".join(chr(c) for c in range(0x300, 0x370)) + "aeiou", "".join(chr(c) for c in range(0x1F600, 0x1F640)),
         "".join(chr(c) for c in range(0x2000, 0x2300)), "".join(chr(c) for c in range(0xFF00, 0xFFF0))]
for _ in range(200):
    texts.append("".join(rng.choice(rng.choice(kinds)) for _ in range(rng.randrange(60))))

golden = [{"text": s, "small": small.encode(s), "t5": t5.encode(s), "gpt2": gpt2.encode_ordinary(s),
           "small_decoded": small.decode(small.encode(s))} for s in texts]
write("golden.json.gz", json.dumps(golden, ensure_ascii=False, separators=(",", ":")).encode())
