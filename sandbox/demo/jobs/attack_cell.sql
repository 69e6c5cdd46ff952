-- 攻击三：细到一个人的分组 / groups so fine that one person is alone in a cell
CREATE TABLE cells AS
SELECT district, birth_date, sex, count(*) AS persons, sum(income) AS income
FROM residents GROUP BY district, birth_date, sex ORDER BY district, birth_date LIMIT 2000;
