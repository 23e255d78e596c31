import assert from "node:assert/strict";
import { test } from "node:test";
import { childText, escapeXml, parseXml, XmlError } from "./xml.ts";

test("an answer of S3", () => {
  const root = parseXml(`<?xml version="1.0" encoding="UTF-8"?>
    <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
      <Name>a&amp;b</Name><Empty/><IsTruncated>false</IsTruncated><!-- note -->
      <Contents><Key>x&#47;y&#x2f;z</Key><ETag>&quot;1&quot;</ETag></Contents>
    </ListBucketResult>
  `);
  assert.equal(root.name, "ListBucketResult");
  assert.equal(childText(root, "Name"), "a&b");
  assert.equal(childText(root, "Empty"), "");
  assert.equal(childText(root, "Missing"), null);
  const contents = root.children.find(({ name }) => name === "Contents");
  assert.equal(childText(contents!, "Key"), "x/y/z");
  assert.equal(childText(contents!, "ETag"), '"1"');
  assert.equal(childText(parseXml(`<a><b>${escapeXml('<"&>')}</b></a>`), "b"), '<"&>');
});

test("what S3 does not send is refused", () => {
  const cases = [
    "",
    "hello",
    "<a>",
    "<a></b>",
    "<a></a><b></b>",
    "<a></a>text",
    '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "<a>&b;</a>",
    "<a>&amp</a>",
    "<a>&#1114112;</a>",
    "<a><![CDATA[b]]></a>",
    "<a b></a>",
    "<a".repeat(100),
    "<a>".repeat(100),
    `${"<a>".repeat(30)}${"</a>".repeat(30)}`,
  ];
  for (const source of cases) assert.throws(() => parseXml(source), XmlError, source);
});
