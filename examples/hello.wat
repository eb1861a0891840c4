;; The smallest job for `executor: wasm`: a WASI preview 1 module that greets.
;;
;; Prints "hello from <GREETING_FROM>", or "hello from wasm" when the variable is not set, and then every argument on a line:
;;
;;   hello from wasm
;;   argument: one
;;   argument: two
;;
;; Made into hello.wasm by `npx tsx scripts/build-wasm.ts`.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)

  ;; 0: vector to write; 8: bytes written; 16: number of arguments or variables; 20: bytes of their texts
  (data (i32.const 32) "hello from \00")
  (data (i32.const 48) "wasm\00")
  (data (i32.const 56) "argument: \00")
  (data (i32.const 72) "\0a\00")
  (data (i32.const 80) "GREETING_FROM=\00")
  ;; from 128: the list of pointers, then the texts

  ;; the number of bytes before the zero byte
  (func $length (param $text i32) (result i32)
    (local $end i32)
    (local.set $end (local.get $text))
    (block $found
      (loop $next
        (br_if $found (i32.eqz (i32.load8_u (local.get $end))))
        (local.set $end (i32.add (local.get $end) (i32.const 1)))
        (br $next)))
    (i32.sub (local.get $end) (local.get $text)))

  ;; writes the text to stdout
  (func $print (param $text i32)
    (i32.store (i32.const 0) (local.get $text))
    (i32.store (i32.const 4) (call $length (local.get $text)))
    (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
      (then (call $proc_exit (i32.const 1)))))

  ;; what follows the prefix in the text, or 0 when the text does not start with it
  (func $after (param $text i32) (param $prefix i32) (result i32)
    (loop $next
      (if (i32.eqz (i32.load8_u (local.get $prefix))) (then (return (local.get $text))))
      (if (i32.ne (i32.load8_u (local.get $text)) (i32.load8_u (local.get $prefix))) (then (return (i32.const 0))))
      (local.set $text (i32.add (local.get $text) (i32.const 1)))
      (local.set $prefix (i32.add (local.get $prefix) (i32.const 1)))
      (br $next))
    unreachable)

  ;; makes memory reach to `end`; ends the program when it cannot
  (func $reserve (param $end i32)
    (local $missing i32)
    (local.set $missing
      (i32.sub (i32.add (i32.shr_u (local.get $end) (i32.const 16)) (i32.const 1)) (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then
        (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1)) (then (call $proc_exit (i32.const 1)))))))

  ;; where the texts of `count` pointers begin
  (func $texts (result i32)
    (local $texts i32)
    (local.set $texts (i32.add (i32.const 128) (i32.shl (i32.load (i32.const 16)) (i32.const 2))))
    (call $reserve (i32.add (local.get $texts) (i32.load (i32.const 20))))
    (local.get $texts))

  ;; the pointer at `index` of the list
  (func $item (param $index i32) (result i32)
    (i32.load (i32.add (i32.const 128) (i32.shl (local.get $index) (i32.const 2)))))

  (func $greet
    (local $index i32) (local $value i32) (local $from i32)
    (local.set $from (i32.const 48))
    (drop (call $environ_sizes_get (i32.const 16) (i32.const 20)))
    (drop (call $environ_get (i32.const 128) (call $texts)))
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $index) (i32.load (i32.const 16))))
        (local.set $value (call $after (call $item (local.get $index)) (i32.const 80)))
        (if (local.get $value) (then (local.set $from (local.get $value))))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next)))
    (call $print (i32.const 32))
    (call $print (local.get $from))
    (call $print (i32.const 72)))

  (func $list_arguments
    (local $index i32)
    (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
    (drop (call $args_get (i32.const 128) (call $texts)))
    (local.set $index (i32.const 1)) ;; the first is the name of the program
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $index) (i32.load (i32.const 16))))
        (call $print (i32.const 56))
        (call $print (call $item (local.get $index)))
        (call $print (i32.const 72))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next))))

  (func (export "_start")
    (call $greet)
    (call $list_arguments)))
