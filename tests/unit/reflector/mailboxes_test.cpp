// ShardMailboxes: order per sender, who is woken, what counts as pending, classes the same everywhere.
#include "rr/reflector/mailboxes.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace helio::reflector {
namespace {

std::vector<Message> downs(std::uint32_t from, std::uint32_t to) {
  std::vector<Message> out;
  for (std::uint32_t i = from; i < to; ++i) out.push_back(PeerDown{PeerId{i}});
  return out;
}

TEST(ShardMailboxes, FirstMailWakes) {
  ShardMailboxes boxes(3);
  std::vector<Message> mail = downs(0, 2);
  EXPECT_FALSE(boxes.has_mail(1));
  EXPECT_TRUE(boxes.send(0, 1, mail));
  EXPECT_TRUE(mail.empty());
  mail = downs(2, 3);
  EXPECT_FALSE(boxes.send(0, 1, mail));  // it has been told
  mail = downs(0, 1);
  EXPECT_TRUE(boxes.send(2, 1, mail));   // another box
  EXPECT_TRUE(boxes.has_mail(1));
  EXPECT_FALSE(boxes.has_mail(0));
  EXPECT_EQ(boxes.take(0, 1).size(), 3u);
  EXPECT_TRUE(boxes.has_mail(1));
  EXPECT_EQ(boxes.take(2, 1).size(), 1u);
  EXPECT_FALSE(boxes.has_mail(1));
  mail = downs(0, 1);
  EXPECT_TRUE(boxes.send(0, 1, mail));
}

TEST(ShardMailboxes, PendingBytesAreThoseOfUpdatesUntilTaken) {
  ShardMailboxes boxes(3);
  std::vector<Message> mail = downs(0, 1);
  mail.push_back(Updates{PeerId{0}, wire::Family::vpnv4, false, 0, nullptr, std::vector<std::uint8_t>(100)});
  boxes.send(0, 1, mail);
  mail.push_back(Updates{PeerId{0}, wire::Family::vpnv4, false, 0, nullptr, std::vector<std::uint8_t>(30)});
  boxes.send(0, 2, mail);
  EXPECT_EQ(boxes.pending_bytes(0), 130u);
  EXPECT_EQ(boxes.pending_bytes(1), 0u);
  boxes.take(0, 1);
  EXPECT_EQ(boxes.pending_bytes(0), 30u);
  boxes.take(0, 2);
  EXPECT_EQ(boxes.pending_bytes(0), 0u);
}

// DESIGN §4: correctness rests on the order per (sender, receiver).
TEST(ShardMailboxes, OrderPerSenderAcrossThreads) {
  constexpr std::uint32_t kCount = 30000;
  ShardMailboxes boxes(3);
  auto sender = [&](std::uint32_t self) {
    for (std::uint32_t i = 0; i < kCount; i += 3) {
      std::vector<Message> mail = downs(i, i + 3);
      boxes.send(self, 2, mail);
    }
  };
  std::thread one(sender, 0), two(sender, 1);
  std::array<std::uint32_t, 2> next{};
  while (next[0] < kCount || next[1] < kCount) {
    for (std::uint32_t from : {0u, 1u})
      for (Message& m : boxes.take(from, 2)) {
        if (std::get<PeerDown>(m).peer.value != next[from]) ADD_FAILURE() << "from " << from << " at " << next[from];
        ++next[from];
      }
    std::this_thread::yield();
  }
  one.join();
  two.join();
}

TEST(ShardMailboxes, ClassesHaveOneNumber) {
  ShardMailboxes boxes(2);
  rib::EncodingClass plain, external{.is_external = true, .local_as = 65000};
  EXPECT_EQ(boxes.class_id(plain), 0);
  EXPECT_EQ(boxes.class_id(external), 1);
  EXPECT_EQ(boxes.class_id(plain), 0);
  for (Asn as = 1; as <= 62; ++as) EXPECT_EQ(boxes.class_id({.is_external = true, .local_as = as}), as + 1);
  EXPECT_EQ(boxes.class_id({.is_external = true, .local_as = 63}), std::nullopt);  // bits of a 64-bit mask
  EXPECT_EQ(boxes.class_id(external), 1);
  EXPECT_EQ(boxes.classes().size(), 64u);
}

}  // namespace
}  // namespace helio::reflector
