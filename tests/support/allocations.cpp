#include "allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

#include <malloc.h>

namespace {

thread_local dspu::test::allocation_count counted;
thread_local int spared = 0;
std::atomic<std::int64_t> until_failure{0};  // 0 or less: none is to fail
std::atomic<bool> failed{false};

bool is_to_fail() {
  if (spared > 0 || until_failure.load(std::memory_order_relaxed) <= 0 || until_failure.fetch_sub(1) != 1) return false;
  failed = true;
  return true;
}

void* count(std::size_t n, void* (*allocate)(std::size_t align, std::size_t n), std::size_t align) {
  ++counted.calls;
  counted.bytes += static_cast<std::int64_t>(n);
  return is_to_fail() ? nullptr : allocate(align, n);
}

void* allocated(void* p) {
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

void* plain(std::size_t, std::size_t n) { return std::malloc(n); }

}  // namespace

void* operator new(std::size_t n) { return allocated(count(n, plain, 0)); }
void* operator new(std::size_t n, std::align_val_t a) {
  return allocated(count(n, memalign, static_cast<std::size_t>(a)));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
extern "C" void* aligned_alloc(std::size_t a, std::size_t n) noexcept { return count(n, memalign, a); }

namespace dspu::test {

allocation_count allocations() { return counted; }

void fail_allocation(std::int64_t n) {
  failed = false;
  until_failure = n;
}
bool stop_failing() {
  until_failure = 0;
  return failed;
}

allocations_spared::allocations_spared() { ++spared; }
allocations_spared::~allocations_spared() { --spared; }

}  // namespace dspu::test
