// Looks at an exception without throwing it, which takes some fifty times as long.
#pragma once

#include <exception>
#include <type_traits>
#include <typeinfo>

namespace dspu::aio::detail {

// The exception, if `catch (const E&)` would catch it; else null. It lives as long as the exception_ptr.
template <class E>
const E* thrown_as(const std::exception_ptr& error) {
  static_assert(std::is_class_v<E>);
  if (!error) return nullptr;
#ifdef __GLIBCXX__
  // libstdc++'s way to match a handler (C++26's std::exception_ptr_cast is built on it): an exception_ptr is a pointer to
  // the object thrown.
  void* object = *reinterpret_cast<void* const*>(&error);
  const std::type_info* const type = error.__cxa_exception_type();
  return typeid(E).__do_catch(type, &object, 1) ? static_cast<const E*>(object) : nullptr;
#else
  try {
    std::rethrow_exception(error);
  } catch (const E& e) {
    return &e;
  } catch (...) {
    return nullptr;
  }
#endif
}

}  // namespace dspu::aio::detail
