#include "allocations.hpp"

#include <cstdlib>
#include <new>

#include <malloc.h>

namespace {

thread_local dspu::test::allocation_count counted;

void* count(std::size_t n, void* p) {
  ++counted.calls;
  counted.bytes += static_cast<std::int64_t>(n);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace

void* operator new(std::size_t n) { return count(n, std::malloc(n)); }
void* operator new(std::size_t n, std::align_val_t a) { return count(n, memalign(static_cast<std::size_t>(a), n)); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
extern "C" void* aligned_alloc(std::size_t a, std::size_t n) noexcept { return count(n, memalign(a, n)); }

namespace dspu::test {

allocation_count allocations() { return counted; }

}  // namespace dspu::test
