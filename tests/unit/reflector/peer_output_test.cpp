// PeerOutput: what one peer still gets. Every split of the bytes, and dropping at every offset, keeps whole messages.
#include "rr/reflector/peer_output.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace helio::reflector {
namespace {

using Octets = std::vector<std::uint8_t>;

// A batch of messages of the given sizes (at least 19); their octets tell batch and position.
rib::BatchRef make_batch(const std::vector<std::uint16_t>& sizes, std::uint8_t tag, const std::shared_ptr<rib::RetainedBytes>& retained) {
  std::size_t total = 0;
  for (std::uint16_t s : sizes) total += s;
  rib::BatchRef batch(new rib::Batch(total, retained));
  std::uint8_t* p = batch->mutable_data();
  for (std::size_t i = 0; i < total; ++i) p[i] = static_cast<std::uint8_t>(tag + i * 7);
  for (std::uint16_t s : sizes) {
    store_be16(p + 16, s);
    p += s;
  }
  batch->finish(total);
  return batch;
}

class PeerOutputTest : public testing::Test {
 protected:
  ~PeerOutputTest() override {
    output.clear();
    first = second = rib::BatchRef();
    EXPECT_EQ(retained->bytes.load(), 0);
  }
  static Octets octets(const rib::BatchRef& batch, std::uint32_t from, std::uint32_t to) { return Octets(batch->data() + from, batch->data() + to); }
  Octets take(std::size_t max_bytes, std::size_t iovecs = 64) {
    std::vector<iovec> out(iovecs);
    std::size_t n = output.gather(out, max_bytes);
    Octets bytes;
    for (std::size_t i = 0; i < n; ++i) {
      auto* p = static_cast<const std::uint8_t*>(out[i].iov_base);
      bytes.insert(bytes.end(), p, p + out[i].iov_len);
    }
    EXPECT_LE(bytes.size(), max_bytes);
    output.consumed(bytes.size());
    return bytes;
  }

  std::shared_ptr<rib::RetainedBytes> retained = std::make_shared<rib::RetainedBytes>();
  rib::BatchRef first = make_batch({23, 40, 19, 300}, 1, retained);  // borders 0 23 63 82 382
  rib::BatchRef second = make_batch({100, 19}, 2, retained);         // borders 0 100 119
  PeerOutput output;
};

TEST_F(PeerOutputTest, Empty) {
  iovec one;
  EXPECT_TRUE(output.empty());
  EXPECT_EQ(output.gather({&one, 1}, 1000), 0u);
  EXPECT_TRUE(output.at_message_boundary());
  EXPECT_TRUE(output.rest_of_message().empty());
  EXPECT_EQ(output.oldest(), nullptr);
}

TEST_F(PeerOutputTest, RangesInOrder) {
  output.push(first.get(), 23, 63);
  output.push(second.get(), 0, 119);
  output.push(first.get(), 0, 23);
  EXPECT_EQ(output.ranges(), 3u);
  EXPECT_EQ(output.bytes(), 182u);
  EXPECT_EQ(output.oldest(), first.get());
  Octets expected = octets(first, 23, 63), more = octets(second, 0, 119), last = octets(first, 0, 23);
  expected.insert(expected.end(), more.begin(), more.end());
  expected.insert(expected.end(), last.begin(), last.end());
  EXPECT_EQ(take(1000), expected);
  EXPECT_TRUE(output.empty());
  EXPECT_EQ(output.bytes(), 0u);
}

TEST_F(PeerOutputTest, NeighbouringRangesAreOne) {
  output.push(first.get(), 0, 23);
  output.push(first.get(), 23, 82);
  EXPECT_EQ(output.ranges(), 1u);
  output.push(first.get(), 82, 382);
  EXPECT_EQ(output.ranges(), 1u);
  EXPECT_EQ(take(1000), octets(first, 0, 382));
  output.push(first.get(), 0, 23);
  output.push(second.get(), 23, 42);  // the same offset of another batch is no neighbour
  EXPECT_EQ(output.ranges(), 2u);
}

TEST_F(PeerOutputTest, GatherObeysBothLimitsAndDoesNotConsume) {
  output.push(first.get(), 0, 82);
  output.push(second.get(), 0, 100);
  std::vector<iovec> out(4);
  EXPECT_EQ(output.gather(out, 90), 2u);
  EXPECT_EQ(out[1].iov_len, 8u);
  EXPECT_EQ(output.gather(std::span(out).first(1), 1000), 1u);
  EXPECT_EQ(out[0].iov_len, 82u);
  EXPECT_EQ(output.bytes(), 182u);
}

TEST_F(PeerOutputTest, EveryPairOfSplits) {
  Octets all = octets(first, 0, 382);
  for (std::size_t a = 0; a <= 382; ++a) {
    output.push(first.get(), 0, 82);
    output.push(second.get(), 0, 0);  // nothing to send
    output.push(first.get(), 82, 382);
    Octets got = take(a);
    while (!output.empty()) {
      Octets more = take(97, 1);
      ASSERT_FALSE(more.empty()) << a;
      got.insert(got.end(), more.begin(), more.end());
    }
    ASSERT_EQ(got, all) << a;
    output.clear();
  }
}

// RFC 4271 §4.1: a message that was begun is finished before anything else is sent.
TEST_F(PeerOutputTest, BoundaryAndRestAtEveryOffset) {
  const std::set<std::size_t> borders{0, 23, 63, 82, 382, 482, 501};
  Octets all = octets(first, 0, 382), more = octets(second, 0, 119);
  all.insert(all.end(), more.begin(), more.end());
  for (std::size_t sent = 0; sent < all.size(); ++sent) {
    output.clear();
    output.push(first.get(), 0, 382);
    output.push(second.get(), 0, 119);
    output.consumed(sent);
    ASSERT_EQ(output.at_message_boundary(), borders.contains(sent)) << sent;
    std::size_t end = *borders.lower_bound(sent);
    Bytes rest = output.rest_of_message();
    ASSERT_EQ(Octets(rest.begin(), rest.end()), Octets(all.begin() + static_cast<std::ptrdiff_t>(sent), all.begin() + static_cast<std::ptrdiff_t>(end))) << sent;
  }
}

// A range that begins in the middle of a batch: messages are counted from its own start.
TEST_F(PeerOutputTest, BoundaryInsideABatch) {
  output.push(first.get(), 23, 82);
  output.consumed(39);
  EXPECT_FALSE(output.at_message_boundary());
  EXPECT_EQ(output.rest_of_message().size(), 1u);
  output.consumed(1);
  EXPECT_TRUE(output.at_message_boundary());
  EXPECT_TRUE(output.rest_of_message().empty());
}

// A slow peer's queue is dropped at whatever offset it stands: the message under way stays, all else of the batch goes.
TEST_F(PeerOutputTest, DropAtEveryOffset) {
  const std::set<std::size_t> borders{0, 23, 63, 82, 382};
  for (std::size_t sent = 0; sent < 382; ++sent) {
    output.clear();
    output.push(first.get(), 0, 382);
    output.push(second.get(), 0, 119);
    output.push(first.get(), 0, 23);
    output.consumed(sent);
    int dropped = 0;
    output.drop_if([&](const rib::Batch& b) { return &b == first.get(); }, [&](rib::Batch* b) { dropped += b == first.get() ? 1 : 100; });
    EXPECT_EQ(dropped, 2) << sent;
    std::size_t end = *borders.lower_bound(sent);
    Octets expected = octets(first, static_cast<std::uint32_t>(sent), static_cast<std::uint32_t>(end)), rest = octets(second, 0, 119);
    ASSERT_EQ(output.bytes(), expected.size() + rest.size()) << sent;
    ASSERT_EQ(output.at_message_boundary(), sent == end) << sent;
    expected.insert(expected.end(), rest.begin(), rest.end());
    ASSERT_EQ(take(10000), expected) << sent;
    ASSERT_TRUE(output.empty());
    ASSERT_TRUE(output.at_message_boundary());
    output.push(second.get(), 0, 100);  // and goes on from a clean state
    ASSERT_EQ(take(10000), octets(second, 0, 100));
  }
}

TEST_F(PeerOutputTest, DropWhatIsBehindAMessageUnderWay) {
  output.push(first.get(), 0, 23);
  output.push(second.get(), 0, 119);
  output.consumed(5);
  output.drop_if([&](const rib::Batch& b) { return &b == second.get(); }, [](rib::Batch*) {});
  EXPECT_EQ(output.bytes(), 18u);
  EXPECT_EQ(output.rest_of_message().size(), 18u);
  EXPECT_EQ(take(100), octets(first, 5, 23));
}

TEST_F(PeerOutputTest, BatchesAreKeptAsLongAsSomethingIsQueued) {
  std::shared_ptr<rib::BatchLife> life = first->life();
  output.push(first.get(), 0, 23);
  first = rib::BatchRef();
  EXPECT_FALSE(life->ended.load());
  output.consumed(22);
  EXPECT_FALSE(life->ended.load());
  output.consumed(1);
  EXPECT_TRUE(life->ended.load());
}

// Thousands of ranges, as a peer that falls behind has them: the queue is a queue, and its memory does not grow for ever.
TEST_F(PeerOutputTest, LongQueues) {
  std::mt19937 random(5);
  Octets expected, got;
  for (int i = 0; i < 20000; ++i) {
    rib::BatchRef& batch = random() % 2 ? first : second;
    bool low = random() % 2;
    std::uint32_t from = low ? 0 : batch.get() == first.get() ? 63 : 100, to = batch.get() == first.get() ? 82 : 119;
    output.push(batch.get(), from, to);
    Octets bytes = octets(batch, from, to);
    expected.insert(expected.end(), bytes.begin(), bytes.end());
    if (i % 3 == 0) {
      Octets some = take(random() % 300, 8);
      got.insert(got.end(), some.begin(), some.end());
      ASSERT_EQ(expected.size() - got.size(), output.bytes());
    }
  }
  while (!output.empty()) {
    Octets some = take(5000, 16);
    got.insert(got.end(), some.begin(), some.end());
  }
  EXPECT_EQ(got, expected);
}

}  // namespace
}  // namespace helio::reflector
