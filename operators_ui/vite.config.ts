import { defineConfig } from "vite";

// Every asset stays a file of its own: the page runs under `script-src 'self'; style-src 'self'`, without data: addresses.
export default defineConfig({
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false },
  server: { proxy: { "/api": "http://127.0.0.1:8080" } },
});
