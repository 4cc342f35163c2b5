-- Names: the sort key by which PostgreSQL itself puts names into the canonical order of RFC 4034 section 6.1.

-- One label of a sort key.
create function zoneseal.sort_key_label(label bytea) returns bytea
language plpgsql immutable strict parallel safe as $$
declare
  key bytea := '';
  octet int;
begin
  for i in 0 .. length(label) - 1 loop
    octet := get_byte(label, i);
    if octet between 65 and 90 then
      octet := octet + 32;
    end if;
    if octet <= 1 then
      key := key || '\x01'::bytea || set_byte('\x00'::bytea, 0, octet + 1);
    else
      key := key || set_byte('\x00'::bytea, 0, octet);
    end if;
  end loop;
  return key || '\x00'::bytea;
end
$$;

-- Octets whose bytewise order is the canonical order: labels reversed, ASCII letters in lower case, 0x00 written as
-- 0x01 0x01 and 0x01 as 0x01 0x02, each label ended by 0x00; the root has none. The argument is an absolute name in
-- presentation format (RFC 1035 section 5.1: \. and other escaped characters, \DDD). What is no such name is refused.
create function zoneseal.sort_key(name text) returns bytea
language plpgsql immutable strict parallel safe as $$
declare
  labels text[];
  key text := '';
  octets bytea;
  label bytea := '';
  reversed bytea := '';
  wire_length int := 1;
  at int := 1;
  octet int;
begin
  if name = '.' then
    return '';
  end if;
  -- nearly every name: nothing escaped, no label too long; this way takes about 1.5 microseconds, the other 100
  if octet_length(name) <= 254 and name ~ '^[]!#-''*-:<-[^-~]+[.]$' and name !~ '^[.]|[.][.]'
    and (octet_length(name) <= 64 or name !~ '[^.]{64}')
  then
    labels := string_to_array(lower(left(name, -1) collate "C"), '.');
    if array_length(labels, 1) <= 6 then
      return decode(concat(labels[6] || '\000', labels[5] || '\000', labels[4] || '\000', labels[3] || '\000',
        labels[2] || '\000', labels[1], '\000'), 'escape');
    end if;
    for i in reverse array_length(labels, 1) .. 1 loop
      key := key || labels[i] || '\000';
    end loop;
    return decode(key, 'escape');
  end if;
  if name = '' or name !~ '^[ -~]*$' then
    raise exception 'owner "%" is no domain name: only printable ASCII is allowed, other octets as \DDD', left(name, 80)
      using errcode = 'check_violation';
  end if;
  octets := convert_to(name, 'SQL_ASCII');
  while at <= length(octets) loop
    octet := get_byte(octets, at - 1);
    at := at + 1;
    if octet = 46 then
      if length(label) = 0 then
        raise exception 'owner "%" is no domain name: a label is empty', left(name, 80) using errcode = 'check_violation';
      end if;
      reversed := zoneseal.sort_key_label(label) || reversed;
      wire_length := wire_length + 1 + length(label);
      if wire_length > 255 then
        raise exception 'owner "%" is no domain name: it is longer than 255 octets', left(name, 80)
          using errcode = 'check_violation';
      end if;
      label := '';
      continue;
    end if;
    if octet = 92 then
      if substr(name, at) ~ '^([01][0-9][0-9]|2[0-4][0-9]|25[0-5])' then
        octet := substr(name, at, 3)::int;
        at := at + 3;
      elsif substr(name, at) ~ '^[^0-9]' then
        octet := get_byte(octets, at - 1);
        at := at + 1;
      else
        raise exception 'owner "%" is no domain name: \ is followed by three digits up to 255 or one other character', left(name, 80)
          using errcode = 'check_violation';
      end if;
    elsif octet in (32, 34, 40, 41, 59) then
      raise exception 'owner "%" is no domain name: a space and one of "(); have to be escaped', left(name, 80)
        using errcode = 'check_violation';
    end if;
    label := label || set_byte('\x00'::bytea, 0, octet);
    if length(label) > 63 then
      raise exception 'owner "%" is no domain name: a label is longer than 63 octets', left(name, 80)
        using errcode = 'check_violation';
    end if;
  end loop;
  if length(label) > 0 then
    raise exception 'owner "%" is relative: write it with a dot at the end', left(name, 80) using errcode = 'check_violation';
  end if;
  return reversed;
end
$$;
