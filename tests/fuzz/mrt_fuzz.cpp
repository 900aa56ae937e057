// The readers of MRT files: records are taken whole, bodies stay inside them, and what the encoders make of them reads the same.
#include <algorithm>

#include "rr/export/mrt_record.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace {

using namespace helio;
using namespace helio::exporter;

MrtRecord read_back(const std::vector<std::uint8_t>& bytes) {
  Bytes rest(bytes);
  auto record = next_mrt_record(rest);
  HELIO_CHECK(record && *record && rest.empty(), "what is written can be read");
  return **record;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes all(data, size), rest = all;
  for (;;) {
    auto record = next_mrt_record(rest);
    if (!record || !*record) break;
    HELIO_CHECK(fuzz::inside((*record)->body, all), "the body is in the file");
    std::vector<std::uint8_t> again;
    if (auto table = decode_peer_index_table((*record)->body)) {
      encode_peer_index_table(again, 1, *table);
      auto read = decode_peer_index_table(read_back(again).body);
      HELIO_CHECK(read && *read == *table, "PEER_INDEX_TABLE both ways");
      again.clear();
    }
    if (auto rib = decode_rib_generic(**record)) {
      for (const RibEntry& entry : rib->entries) HELIO_CHECK(fuzz::inside(entry.attributes, all) && fuzz::inside(entry.next_hop, all), "entries are in the file");
      encode_rib_generic(again, 1, *rib);
      // An entry that is full already has no room for the MP_REACH that ours always have.
      bool fits = std::ranges::all_of(rib->entries, [](const RibEntry& e) { return 4 + e.next_hop.size() + e.attributes.size() <= 0xffff && e.next_hop.size() < 255; });
      auto read = fits ? decode_rib_generic(read_back(again)) : rib;
      HELIO_CHECK(read && read->entries.size() == rib->entries.size() && fuzz::same(read->nlri, rib->nlri), "RIB_GENERIC both ways");
      again.clear();
    }
    if (auto message = decode_bgp4mp_message(**record)) {
      encode_bgp4mp_message(again, {1, 2}, *message);
      auto read = decode_bgp4mp_message(read_back(again));
      HELIO_CHECK(read && read->peer == message->peer && fuzz::same(read->message, message->message), "messages both ways");
      again.clear();
    }
    if (auto change = decode_bgp4mp_state_change(**record)) {
      encode_bgp4mp_state_change(again, {1, 2}, *change);
      auto read = decode_bgp4mp_state_change(read_back(again));
      HELIO_CHECK(read && read->peer == change->peer && read->after == change->after, "state changes both ways");
    }
  }
  return 0;
}
